"""Routes of orders."""

urlpatterns: list[object] = []
