#!/usr/bin/env python3
"""Proves that the backup restores: dump WorkBox's database, load it into a scratch one, verify its books.

    python scripts/backup_drill.py [--keep FILE.sql.gz]

MySQL and MariaDB only. DATABASE_URL, or DB_HOST and its siblings, say where the database is, in the environment or in
.env, as for WorkBox itself. The dump is one consistent moment (`--single-transaction`), so writers go on. The scratch
database is dropped at the end. Exit codes: 0 the restored books are clean, 1 something failed, 3 `verify_stock` found
differences.
"""

import argparse
import gzip
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from workbox.env import database  # noqa: E402  (the path above finds it)


class Server:
    """Where the database is, as the command line clients want to be told."""

    def __init__(self, config: dict[str, Any]) -> None:
        if not config["ENGINE"].endswith("mysql"):
            sys.exit("The drill needs MySQL or MariaDB: set DATABASE_URL=mysql://… or DB_HOST.")
        self.name = str(config["NAME"])
        self.user, self.password = str(config.get("USER") or "root"), str(config.get("PASSWORD") or "")
        self.address = f"{config.get('HOST') or 'localhost'}:{config.get('PORT') or 3306}"
        host, _, port = self.address.rpartition(":")
        self.options = [f"--host={host}", f"--port={port}", f"--user={self.user}", "--protocol=tcp"]
        # The password goes by the environment: a command line is readable by every user of the machine.
        self.environment = os.environ | {"MYSQL_PWD": self.password}

    def url_of(self, name: str) -> str:
        """DATABASE_URL of another database on this server."""
        who = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}"
        return f"mysql://{who}@{self.address}/{name}"

    def run(self, program: str, *arguments: str, stdin: object = None, stdout: object = None) -> str:
        """Run a client program; its error text ends the drill."""
        done = subprocess.run(
            [program, *self.options, *arguments],
            env=self.environment, stdin=stdin, stdout=stdout or subprocess.PIPE, stderr=subprocess.PIPE, check=False,
        )  # type: ignore[call-overload]  # files or pipes, the overloads know no mixture  # fmt: skip
        if done.returncode:
            sys.exit(f"{program} failed: {done.stderr.decode().strip()}")
        return "" if stdout else str(done.stdout.decode())

    def ask(self, sql: str) -> str:
        """The answer to one statement, without headings."""
        return self.run(_client("mariadb", "mysql"), "--batch", "--skip-column-names", "--execute", sql).strip()


def _client(*names: str) -> str:
    found = next((name for name in names if shutil.which(name)), None)
    return found or sys.exit(f"Install the database's client programs: none of {', '.join(names)} is here.")


def dump(server: Server, file: Path) -> None:
    """The database with its triggers as one moment, compressed."""
    program = _client("mariadb-dump", "mysqldump")
    with subprocess.Popen(
        [program, *server.options, "--single-transaction", "--triggers", "--routines", "--hex-blob", server.name],
        env=server.environment, stdout=subprocess.PIPE,
    ) as dumping, gzip.open(file, "wb", compresslevel=1) as packed:  # fmt: skip
        assert dumping.stdout is not None  # noqa: S101  (it was asked for)
        shutil.copyfileobj(dumping.stdout, packed)
    if dumping.returncode:
        sys.exit(f"{program} failed with {dumping.returncode}")


def restore(server: Server, file: Path, name: str) -> None:
    """The dump as a new database."""
    server.ask(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
    with tempfile.TemporaryFile() as plain:
        with gzip.open(file, "rb") as packed:
            shutil.copyfileobj(packed, plain)
        plain.seek(0)
        server.run(_client("mariadb", "mysql"), name, stdin=plain)


def triggers(server: Server, name: str) -> set[str]:
    """The names of the triggers that protect the ledger."""
    sql = f"SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = '{name}'"  # noqa: S608  (the server's own name of it)
    return set(server.ask(sql).split())


def main() -> None:
    """Dump, restore, verify, clean up; print what was done in a line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, help="keep the dump here")
    args = parser.parse_args()
    server = Server(database())
    scratch = f"{server.name}_drill_{os.getpid()}"
    with tempfile.TemporaryDirectory() as folder:
        file = args.keep or Path(folder) / "dump.sql.gz"
        began = time.monotonic()
        dump(server, file)
        print(f"dumped {server.name}: {file.stat().st_size:,} bytes in {time.monotonic() - began:.1f} s")
        try:
            began = time.monotonic()
            restore(server, file, scratch)
            print(f"restored into {scratch} in {time.monotonic() - began:.1f} s")
            if missing := triggers(server, server.name) - triggers(server, scratch):
                sys.exit(f"The dump lost triggers: {', '.join(sorted(missing))}")
            print(f"{len(triggers(server, scratch))} triggers are there")
            environment = os.environ | {"DATABASE_URL": server.url_of(scratch)}
            for command in (("migrate", "--check"), ("verify_stock",)):
                done = subprocess.run(
                    [sys.executable, "manage.py", *command], cwd=ROOT, env=environment, check=False
                ).returncode
                if done:
                    sys.exit(done)
        finally:
            server.ask(f"DROP DATABASE IF EXISTS `{scratch}`")
    print("The backup restores; its books are clean.")


if __name__ == "__main__":
    main()
