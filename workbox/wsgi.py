"""HTTP for production servers (granian): one thread per request, connections kept."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "workbox.settings")

application = get_wsgi_application()
