#!/usr/bin/env python3
"""Throwaway MariaDB and Redis for tests, benchmarks and development; standard library only.

Each server gets a data directory of its own under the system's temporary directory and a free port on 127.0.0.1.
This module stops exactly the processes it started, by process id, and removes what they wrote. It never touches a
server that somebody else runs.

    python scripts/services.py up                 start both, print the variables to export, stop on Ctrl-C
    python scripts/services.py run -- CMD ...     start both, run CMD with the variables set, return its exit code
"""

from __future__ import annotations

import argparse
import contextlib
import getpass
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn

DATABASE_NAME = "workbox_db"
START_TIMEOUT_SECONDS = 60
STOP_TIMEOUT_SECONDS = 30
# Below the range from which Linux and macOS pick ports for outgoing connections: a server that is killed and started
# again must find its port still free.
PORT_RANGE = range(20_000, 32_000)
# Debian puts servers where an ordinary user's PATH does not look.
EXTRA_PATH = "/usr/sbin:/usr/local/sbin:/opt/homebrew/bin:/usr/local/bin"


class ServiceError(Exception):
    """A server is not installed, did not start, or ended unasked; the message says which, with the end of its log."""


def find_binary(name: str) -> str | None:
    """The full path of a program, also where servers hide from PATH; None when it is not installed."""
    return shutil.which(name) or shutil.which(name, path=EXTRA_PATH)


def missing_binaries() -> list[str]:
    """The programs `running()` needs that this machine does not have."""
    return [name for name in ("mariadbd", "mariadb-install-db", "mariadb", "redis-server") if find_binary(name) is None]


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on right now."""
    for port in random.sample(PORT_RANGE, 200):
        with contextlib.closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise ServiceError(f"no free port between {PORT_RANGE.start} and {PORT_RANGE.stop}")


class Server:
    """One server process: started, awaited, stopped, killed, started again on the same port and data directory."""

    name = ""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self.log = directory / f"{self.name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        raise NotImplementedError

    @property
    def pid(self) -> int:
        if self.process is None:
            raise ServiceError(f"{self.name} is not running")
        return self.process.pid

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start the server and return once it answers; raise ServiceError with the end of its log if it does not."""
        if self.process is not None:
            raise ServiceError(f"{self.name} is running already, as process {self.pid}")
        with self.log.open("ab") as log:
            # A session of its own: Ctrl-C in the terminal must reach the program under test first, not its database.
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise ServiceError(f"{self.name} did not start:\n{self.log_tail()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Ask the server to end, wait, and insist if it does not; a server that is not running is left alone."""
        if self.process is None:
            return
        self._signal(signal.SIGTERM)
        self._signal(signal.SIGCONT)  # a fault drill may have frozen it, and a frozen process cannot hear SIGTERM
        try:
            self.process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self.process.wait()
        self.process = None

    def kill(self) -> None:
        """kill -9, as a power cut would: nothing is flushed that was not flushed before."""
        if self.process is not None:
            self._signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def log_tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])

    def _signal(self, number: int) -> None:
        if self.process is not None and self.is_running:
            self.process.send_signal(number)


class MariaDB(Server):
    """MariaDB in the isolation and with the time limits that WorkBox asks of a real one (docs/operations.md)."""

    name = "mariadb"

    def __init__(self, directory: Path, *, durable: bool) -> None:
        super().__init__(directory)
        self.durable = durable
        self.data_directory = directory / "mysql"
        self.socket = directory / "mysql.sock"
        self._install()

    def command(self) -> list[str]:
        durability = (
            ["--innodb-flush-log-at-trx-commit=1"]
            if self.durable
            else ["--innodb-flush-log-at-trx-commit=2", "--skip-log-bin"]
        )
        return [
            find_binary("mariadbd") or "mariadbd",
            "--no-defaults",
            f"--datadir={self.data_directory}",
            f"--socket={self.socket}",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            f"--user={getpass.getuser()}",
            f"--pid-file={self.directory / 'mariadb.pid'}",
            f"--tmpdir={self.directory}",
            "--character-set-server=utf8mb4",
            "--transaction-isolation=READ-COMMITTED",
            "--innodb-buffer-pool-size=512M",
            "--innodb-lock-wait-timeout=3",
            "--idle-write-transaction-timeout=10",
            "--max-connections=400",
            "--skip-name-resolve",
            *durability,
        ]

    def answers(self) -> bool:
        return self._client("SELECT 1").returncode == 0

    def create_database(self) -> None:
        # Without name resolution root@localhost is not enough for TCP; not every install-db makes the second account.
        created = self._client(
            f"CREATE DATABASE {DATABASE_NAME} CHARACTER SET utf8mb4;"
            "CREATE USER IF NOT EXISTS root@127.0.0.1; GRANT ALL ON *.* TO root@127.0.0.1 WITH GRANT OPTION;"
        )
        if created.returncode != 0:
            raise ServiceError(f"could not create {DATABASE_NAME}: {created.stderr.decode(errors='replace')}")

    def _install(self) -> None:
        made = subprocess.run(
            [
                find_binary("mariadb-install-db") or "mariadb-install-db",
                "--no-defaults",
                f"--datadir={self.data_directory}",
                f"--user={getpass.getuser()}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ],
            capture_output=True,
            check=False,
        )
        if made.returncode != 0:
            raise ServiceError(f"mariadb-install-db failed:\n{made.stdout.decode(errors='replace')[-2000:]}")

    def _client(self, sql: str) -> subprocess.CompletedProcess[bytes]:
        client = find_binary("mariadb") or "mariadb"
        return subprocess.run(
            [client, "--no-defaults", f"--socket={self.socket}", "--user=root", "--execute", sql],
            capture_output=True,
            check=False,
        )


class Redis(Server):
    """Redis that keeps nothing on disk: WorkBox only rings its doorbell and caches there."""

    name = "redis"

    def command(self) -> list[str]:
        binary = find_binary("redis-server") or "redis-server"
        options = ["--save", "", "--appendonly", "no", "--dir", str(self.directory), "--daemonize", "no"]
        return [binary, "--port", str(self.port), "--bind", "127.0.0.1", *options]

    def answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


class Services:
    """Both servers and their addresses, with the switches that fault drills need; a restart keeps the address."""

    def __init__(self, mariadb: MariaDB, redis: Redis) -> None:
        self.mariadb = mariadb
        self.redis = redis

    @property
    def database_url(self) -> str:
        return f"mysql://root@127.0.0.1:{self.mariadb.port}/{DATABASE_NAME}"

    @property
    def redis_url(self) -> str:
        return f"redis://127.0.0.1:{self.redis.port}/0"

    @property
    def environment(self) -> dict[str, str]:
        """The variables a program needs to use these servers."""
        return {"DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url}

    @property
    def mariadb_pid(self) -> int:
        return self.mariadb.pid

    @property
    def redis_pid(self) -> int:
        return self.redis.pid

    def kill_mariadb(self) -> None:
        self.mariadb.kill()

    def stop_mariadb(self) -> None:
        self.mariadb.stop()

    def start_mariadb(self) -> None:
        self.mariadb.start()

    def restart_mariadb(self) -> None:
        """Stop (if it still runs) and start again on the same data: after `kill_mariadb` this is crash recovery."""
        self.mariadb.stop()
        self.mariadb.start()

    def kill_redis(self) -> None:
        self.redis.kill()

    def stop_redis(self) -> None:
        self.redis.stop()

    def start_redis(self) -> None:
        self.redis.start()


@contextlib.contextmanager
def running(*, durable: bool = False) -> Iterator[Services]:
    """Both servers, up for the length of the block and gone after it, whatever happens inside.

    durable: every commit is on disk before it is acknowledged, as in production; for benchmarks and fault drills. Tests
    leave it off: they start from nothing anyway, and save a disk flush per commit.
    """
    missing = missing_binaries()
    if missing:
        raise ServiceError(f"not installed: {', '.join(missing)} (scripts/apt-install.sh installs them on Debian)")
    with contextlib.ExitStack() as stack:
        directory = Path(tempfile.mkdtemp(prefix="workbox-services-"))
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        mariadb = MariaDB(directory, durable=durable)
        redis = Redis(directory)
        for server in (mariadb, redis):
            stack.callback(server.stop)
            server.start()
        mariadb.create_database()
        yield Services(mariadb, redis)


def stop_on_signals() -> None:
    """Turn the first Ctrl-C, SIGTERM or SIGHUP into an orderly exit, and let no second one interrupt the clean-up."""

    def leave(number: int, _frame: FrameType | None) -> NoReturn:
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)
        raise SystemExit(128 + number)

    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, leave)


def up(*, durable: bool) -> int:
    """Start both, print the variables to export on standard output, and stay until told to go."""
    with running(durable=durable) as services:
        for name, value in services.environment.items():
            print(f"export {name}={value}", flush=True)
        print(
            "# MariaDB and Redis are running; Ctrl-C stops both and removes their files.", file=sys.stderr, flush=True
        )
        while services.mariadb.is_running and services.redis.is_running:
            time.sleep(0.5)
        print("# one of the servers ended on its own; stopping the other", file=sys.stderr)
        return 1


def run(command: list[str], *, durable: bool) -> int:
    """Run a command with both servers in its environment; its exit code is the answer."""
    with running(durable=durable) as services:
        process = subprocess.Popen(command, env={**os.environ, **services.environment})
        try:
            code = process.wait()
        finally:
            if process.poll() is None:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(STOP_TIMEOUT_SECONDS)
                process.kill()
                process.wait()
    return code if code >= 0 else 128 - code


def main() -> int:
    parser = argparse.ArgumentParser(description="Throwaway MariaDB and Redis on free ports of 127.0.0.1.")
    parser.add_argument("--durable", action="store_true", help="flush every commit to disk, as in production")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("up", help="start both, print the variables to export, stop on Ctrl-C")
    runner = actions.add_parser("run", help="start both, run a command with the variables set")
    runner.add_argument("command", nargs=argparse.REMAINDER, help="-- CMD ...")
    arguments = parser.parse_args()
    command = [part for i, part in enumerate(getattr(arguments, "command", [])) if i > 0 or part != "--"]
    if arguments.action == "run" and not command:
        parser.error("run needs a command: run -- CMD ...")
    stop_on_signals()
    try:
        return run(command, durable=arguments.durable) if arguments.action == "run" else up(durable=arguments.durable)
    except ServiceError as error:
        print(f"services: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
