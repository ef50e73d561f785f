"""Routes of the system itself."""

urlpatterns: list[object] = []
