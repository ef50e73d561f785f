"""Routes of purchasing; fixed words stand before ids."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
