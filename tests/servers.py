"""Real server processes for tests: `manage.py serve` on the test database, stopped by their process id."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from scripts.services import free_port

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 90  # two suites at once on two cores make a start slow, not wrong


def database_url() -> str:
    """The test database's address, as another process needs it."""
    options = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{options['NAME']}"
    user = f"{options['USER']}:{options['PASSWORD']}" if options["PASSWORD"] else options["USER"]
    return f"mysql://{user}@{options['HOST']}:{options['PORT']}/{options['NAME']}"


GRANIAN = ["-m", "granian", "--interface", "wsgi", "--blocking-threads", "8", "--no-access-log"]


class ServerProcess:
    """One `manage.py serve`, or (`production`) granian as HTTP is served in production; two workers unless told."""

    def __init__(
        self,
        *,
        redis_url: str | None = None,
        port: int | None = None,
        production: bool = False,
        workers: int = 2,
        variables: dict[str, str] | None = None,
    ) -> None:
        self.port = port or free_port()
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "workbox.settings",
            "DATABASE_URL": database_url(),
            "REDIS_URL": settings.REDIS_URL if redis_url is None else redis_url,
            "SECRET_KEY": settings.SECRET_KEY,
            "JWT_SECRET_KEY": settings.JWT_SECRET_KEY,
            "WORKBOX_THROTTLE": "off",
            "LOG_LEVEL": "WARNING",
            **(variables or {}),
        }
        serve = ["manage.py", "serve", "--port", str(self.port)]
        granian = [*GRANIAN, "--workers", str(workers), "--port", str(self.port), "workbox.wsgi:application"]
        self.process = subprocess.Popen(
            [sys.executable, *(granian if production else serve)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # so that its workers can be ended with it
        )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise AssertionError("the server did not start")
            time.sleep(0.05)

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=0.5).close()
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """kill -9."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end, and insist after ten seconds."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


@contextmanager
def serving(count: int = 1, **options: Any) -> Iterator[list[ServerProcess]]:
    """`count` server processes on the test database; those that a test adds to the list are stopped as well."""
    servers: list[ServerProcess] = []
    try:
        while len(servers) < count:
            servers.append(ServerProcess(**options))
        yield servers
    finally:
        for server in servers:
            server.stop()
