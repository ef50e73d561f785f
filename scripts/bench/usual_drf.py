"""The usual Django REST framework order endpoint, as a contender for `make bench -- --usual-drf`.

What tutorials teach: ModelViewSet, ModelSerializer, simplejwt with its user query, default settings, a loop over the
lines. It works on the reference peer's tables (`workbox_reference`) and keeps stock with `select_for_update`.
"""

import os
from typing import Any

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="usual-drf-contender-of-the-benchmark-only",  # noqa: S106  (guards nothing: loopback, throwaway tables)
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "rest_framework",
    ],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.mysql",
            "NAME": "workbox_reference",
            "HOST": "127.0.0.1",
            "PORT": os.environ["USUAL_DB_PORT"],
            "USER": "root",
        }
    },
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTAuthentication"],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    },
)
django.setup()

from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import models, transaction
from django.urls import include, path
from rest_framework import routers, serializers, viewsets
from rest_framework_simplejwt.tokens import AccessToken


class Product(models.Model):
    """A row of the peer's products."""

    name = models.CharField(max_length=200)
    price = models.DecimalField(max_digits=12, decimal_places=2)
    stock = models.IntegerField()

    class Meta:
        app_label, managed, db_table = "usual", False, "products"


class Order(models.Model):
    """A row of the peer's orders."""

    user_id = models.IntegerField()
    status = models.CharField(max_length=12, default="confirmed")
    total = models.DecimalField(max_digits=14, decimal_places=2, default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        app_label, managed, db_table = "usual", False, "orders"


class OrderItem(models.Model):
    """A row of the peer's order lines."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="items")
    product = models.ForeignKey(Product, on_delete=models.PROTECT)
    quantity = models.IntegerField()
    unit_price = models.DecimalField(max_digits=12, decimal_places=2)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label, managed, db_table = "usual", False, "order_items"


class LedgerRow(models.Model):
    """A row of the peer's ledger."""

    product = models.ForeignKey(Product, on_delete=models.PROTECT)
    order = models.ForeignKey(Order, on_delete=models.PROTECT)
    delta = models.IntegerField()
    reason = models.CharField(max_length=16, default="sale")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label, managed, db_table = "usual", False, "stock_ledger"


class OrderItemSerializer(serializers.ModelSerializer[OrderItem]):
    """A line as sent and shown."""

    product_id = serializers.PrimaryKeyRelatedField(queryset=Product.objects.all(), source="product")

    class Meta:
        model = OrderItem
        fields = ["id", "product_id", "quantity", "unit_price"]
        read_only_fields = ["unit_price"]


class OrderSerializer(serializers.ModelSerializer[Order]):
    """An order with its lines."""

    items = OrderItemSerializer(many=True)

    class Meta:
        model = Order
        fields = ["id", "user_id", "status", "total", "created_at", "items"]
        read_only_fields = ["user_id", "status", "total"]

    @transaction.atomic
    def create(self, validated_data: dict[str, Any]) -> Order:
        """Lines one after the other, each with its product locked."""
        order = Order.objects.create(user_id=self.context["request"].user.pk)
        for item in sorted(validated_data["items"], key=lambda one: one["product"].pk):
            product = Product.objects.select_for_update().get(pk=item["product"].pk)
            if product.stock < item["quantity"]:
                raise serializers.ValidationError("insufficient stock")
            product.stock -= item["quantity"]
            product.save(update_fields=["stock"])
            OrderItem.objects.create(order=order, product=product, quantity=item["quantity"], unit_price=product.price)
            LedgerRow.objects.create(product=product, order=order, delta=-item["quantity"])
            order.total += product.price * item["quantity"]
        order.save()
        return order


class OrderViewSet(viewsets.ModelViewSet[Order]):
    """Orders."""

    queryset = Order.objects.prefetch_related("items")
    serializer_class = OrderSerializer


router = routers.DefaultRouter()
router.register("orders", OrderViewSet)
urlpatterns = [path("", include(router.urls))]
application = get_wsgi_application()

if __name__ == "__main__":  # prints a token, after making the tables of django.contrib.auth and a user
    call_command("migrate", verbosity=0)
    print(AccessToken.for_user(User.objects.get_or_create(username="bench")[0]))
