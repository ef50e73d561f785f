"""HTTP and WebSocket in one ASGI application: all of WorkBox in `manage.py serve`, only `/ws` in production."""

import os

# Under ASGI each request may run in another thread; a kept connection would belong to a thread that is gone.
os.environ["CONN_MAX_AGE"] = "0"
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "workbox.settings")

from django.core.asgi import get_asgi_application

http = get_asgi_application()

from workbox.live import websocket  # noqa: E402  (needs the apps that get_asgi_application loads)

application = websocket(http)
