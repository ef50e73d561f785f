#!/usr/bin/env python3
"""Behind `make test`: the suite on SQLite, then again on MariaDB + Redis; it says what ran where, and what did not.

MariaDB and Redis are the ones that DATABASE_URL and REDIS_URL name, or throwaway ones when the programs are installed.
Under CI=true a missing service is a failure: a suite that quietly shrinks proves nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import services

ROOT = Path(__file__).resolve().parent.parent
EVERY_ENVIRONMENT = {**os.environ, "DJANGO_SETTINGS_MODULE": "workbox.settings_test"}
# Set and empty, not absent: an operator's .env must not move the embedded run to his database.
EMBEDDED_ENVIRONMENT = {
    **EVERY_ENVIRONMENT,
    "DATABASE_URL": "",
    "DB_HOST": "",
    "REDIS_URL": "",
    "CELERY_BROKER_URL": "",
}
ON_SERVERS = "not browser and not once"
IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}
# Whoever is done takes tests from the other: no worker waits for the longest one at the end.
WORKERS = ["-n", os.environ.get("WORKBOX_TEST_WORKERS", "2"), "--dist", "worksteal"]


def say(text: str) -> None:
    print(f"\n==> {text}", flush=True)


def pytest(markers: str, arguments: list[str], environment: dict[str, str]) -> bool:
    """Run pytest; True when everything passed."""
    command = [sys.executable, "-m", "pytest", *WORKERS, "-m", markers, *arguments]
    started = time.monotonic()
    code = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    print(f"    ({time.monotonic() - started:.0f} s)", flush=True)
    return code == 0


def on_sqlite(arguments: list[str]) -> bool:
    say("Tests on the embedded set: SQLite, in-memory everything else")
    return pytest("not mariadb and not browser", arguments, EMBEDDED_ENVIRONMENT)


def on_servers(arguments: list[str]) -> bool:
    """The whole suite but the browser on MariaDB + Redis; what is missing on this machine is said, and fails in CI."""
    named = [name for name in ("DATABASE_URL", "REDIS_URL") if os.environ.get(name)]
    if len(named) == 1:
        say(f"FAILED: {named[0]} is set and its sibling is not; set both DATABASE_URL and REDIS_URL, or neither")
        return False
    if not named and (missing := services.missing_binaries()):
        return not_run(f"this machine lacks {', '.join(missing)} (Debian: scripts/apt-install.sh installs them)")
    if not install_driver():
        return not_run("mysqlclient could not be built (Debian: scripts/apt-install.sh installs what it needs)")
    if named:
        say("Tests on the MariaDB and Redis that DATABASE_URL and REDIS_URL name")
        return pytest(ON_SERVERS, arguments, EVERY_ENVIRONMENT)
    say("Tests on throwaway MariaDB + Redis, started and stopped here")
    with services.running() as started:
        return pytest(ON_SERVERS, arguments, {**EVERY_ENVIRONMENT, **started.environment})


def install_driver() -> bool:
    """The production set, which holds mysqlclient, on top of what tests need; False when it cannot be built."""
    make = ["make", "--silent", ".venv/installed-production"]
    return subprocess.run(make, cwd=ROOT, check=False).returncode == 0


def not_run(reason: str) -> bool:
    """True (skipped, and said so) on a developer's machine, False in CI."""
    say(f"{'FAILED' if IN_CI else 'SKIPPED'}: the suite on MariaDB + Redis did not run, because {reason}")
    return not IN_CI


def main() -> int:
    services.stop_on_signals()
    arguments = sys.argv[1:]
    embedded = on_sqlite(arguments)  # a failure here does not hide what the servers would have shown
    try:
        servers = on_servers(arguments)
    except services.ServiceError as error:
        say(f"FAILED: {error}")
        servers = False
    return 0 if embedded and servers else 1


if __name__ == "__main__":
    sys.exit(main())
