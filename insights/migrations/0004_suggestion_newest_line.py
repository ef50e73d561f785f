from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('insights', '0003_forecasts'),
    ]

    operations = [
        migrations.AddField(
            model_name='suggestion',
            name='newest_line',
            field=models.BigIntegerField(default=0, help_text='The newest purchase order line that was counted; newer ones hide the suggestion.'),
        ),
    ]
