#!/usr/bin/env python3
"""Behind `make run`: keys, database and demo data on the first start, then the web server and the worker together.

Everything it makes lies under var/. What it runs is the Procfile, so that production can run the same two commands.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
from pathlib import Path

import django
from django.contrib.auth import get_user_model
from django.core.management import call_command

ROOT = Path(__file__).resolve().parent.parent
VAR = ROOT / "var"
KEYS_FILE = VAR / "secrets.env"
# Stands while the demo is being loaded: a first start that was interrupted loads the rest the next time.
DEMO_UNFINISHED = VAR / "demo.unfinished"


def make_keys() -> None:
    """Random keys for this machine, for its owner's eyes only; workbox/env.py reads them after the environment."""
    names = ("SECRET_KEY", "JWT_SECRET_KEY", "WORKBOX_DEMO_PASSWORD")
    sizes = (48, 48, 9)
    lines = "".join(f"{name}={secrets.token_urlsafe(size)}\n" for name, size in zip(names, sizes, strict=True))
    try:
        # 0600 from the first byte on: a chmod afterwards would leave a moment in which others can read.
        descriptor = os.open(KEYS_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w") as file:
        file.write(lines)


def refuse_taken_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            sys.exit(f"Port {port} is taken. Choose another one: WORKBOX_PORT={port + 1} make run")


def load_demo() -> None:
    """Fill an empty database through the services, or finish what an interrupted first start began."""
    if get_user_model().objects.exists() and not DEMO_UNFINISHED.exists():
        print(f"The demo password is WORKBOX_DEMO_PASSWORD in {KEYS_FILE.relative_to(ROOT)}, unless you changed it.")
        return
    DEMO_UNFINISHED.touch()
    call_command("demo", password=os.environ["WORKBOX_DEMO_PASSWORD"])
    DEMO_UNFINISHED.unlink()


def serve_until_stopped() -> int:
    """Run what the Procfile names; Ctrl-C, `kill` and a closed terminal all stop every process of it."""
    # honcho knows the first two only; a closed terminal would end honcho and leave web and worker running.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    honcho = subprocess.Popen(
        # It would read .env on its own and pass it on; WorkBox's settings read it already.
        [str(Path(sys.executable).with_name("honcho")), "--env", os.devnull, "start"],
    )
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal tells honcho as well
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, lambda *_: honcho.terminate())
    return honcho.wait()


def main() -> None:
    VAR.mkdir(exist_ok=True)
    make_keys()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "workbox.settings")
    os.environ.setdefault("LOG_FORMAT", "console")
    os.environ.setdefault(
        "PYTHONWARNINGS", "ignore"
    )  # advice to developers; the tests turn every warning into an error
    django.setup()
    port = int(os.environ.get("WORKBOX_PORT") or "8000")  # the settings have read .env by now
    refuse_taken_port(port)
    print("Preparing the database ...", flush=True)
    call_command("migrate", interactive=False, verbosity=0)
    load_demo()
    print(f"\n  WorkBox is starting on http://127.0.0.1:{port}/   (Ctrl-C stops it)\n", flush=True)
    sys.exit(serve_until_stopped())


if __name__ == "__main__":
    main()
