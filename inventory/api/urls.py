"""Routes of inventory."""

urlpatterns: list[object] = []
