"""`manage.py serve`: HTTP and WebSocket in one process, for one machine and for development."""

from argparse import ArgumentParser
from typing import Any

import uvicorn
from django.core.management.base import BaseCommand

from workbox.core.stream import FRAME_BYTES_MAX
from workbox.env import env


class Command(BaseCommand):
    """Serve until Ctrl-C; open requests get five seconds to finish."""

    help = (
        "Serve HTTP and WebSocket in one process (production: granian for HTTP and uvicorn for /ws,"
        " see docs/operations.md)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default=env.str("API_HOST", default="127.0.0.1"))
        parser.add_argument(
            "--port", type=int, default=env.int("WORKBOX_PORT", default=env.int("API_PORT", default=8000))
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(
            f"WorkBox on http://{options['host']}:{options['port']}/  (admin: /admin/  API: /docs  live: /live/)"
        )
        uvicorn.run(
            "workbox.asgi:application",
            host=options["host"],
            port=options["port"],
            log_config=None,
            access_log=False,
            ws="workbox.core.broadcast:BroadcastProtocol",
            ws_per_message_deflate=False,  # small frames to many: compressing each for each costs more than the bytes
            ws_max_size=FRAME_BYTES_MAX,
            ws_ping_interval=20,
            ws_ping_timeout=20,
            timeout_graceful_shutdown=5,
            proxy_headers=False,
        )
