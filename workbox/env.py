"""Reads the environment: real variables first, then `.env`, then the keys `make run` made for itself.

Not a settings module: it only answers "what did the operator say?" and refuses what is unsafe.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent
KEY_LENGTH_MIN = 32
PLACEHOLDERS = ("change", "insecure", "secret-key", "your-", "example")

KEYS = ("SECRET_KEY", "JWT_SECRET_KEY")

env = environ.Env()


def read_files(files: Iterable[Path]) -> None:
    """Read those of the files that exist, the first one that names a variable wins; the environment wins over all.

    A key that is there but empty, as in a copy of `.env.example`, is absent: the next file may have it.
    """
    for file in files:
        _forget_empty_keys()
        if file.exists():
            environ.Env.read_env(str(file))  # never overwrites what is already set
    _forget_empty_keys()


def _forget_empty_keys() -> None:
    for name in KEYS:
        if name in env.ENVIRON and not env.ENVIRON[name].strip():
            del env.ENVIRON[name]


read_files((BASE_DIR / ".env", BASE_DIR / "var" / "secrets.env"))


def secret(name: str, *, debug: bool, fallback: str = "") -> str:
    """The key `name`; a weak or missing one is refused unless DEBUG is on.

    Raises ImproperlyConfigured with the command that makes a good key.
    """
    value: str = env.str(name, default=fallback)
    weak = len(value) < KEY_LENGTH_MIN or len(set(value)) < 10 or any(word in value.lower() for word in PLACEHOLDERS)
    if not weak:
        return value
    if debug:
        return value if len(value) >= KEY_LENGTH_MIN else "debug-only-" + (value or name) * KEY_LENGTH_MIN
    raise ImproperlyConfigured(
        f"{name} is missing or weak: set it to at least {KEY_LENGTH_MIN} random characters, for example the output of\n"
        '  python3 -c "import secrets; print(secrets.token_urlsafe(48))"\n'
        "in the environment or in .env (or set DEBUG=true on a machine that serves nobody else)."
    )


def database(url_variable: str = "DATABASE_URL") -> dict[str, Any]:
    """Django's DATABASES entry from a URL or from DB_HOST and its siblings.

    SQLite under `var/` when nothing is said.
    """
    url: str = env.str(url_variable, default="")
    if not url and env.str("DB_HOST", default=""):
        config: dict[str, Any] = {
            "ENGINE": "django.db.backends.mysql",
            "HOST": env.str("DB_HOST"),
            "PORT": env.str("DB_PORT", default="3306"),
            "USER": env.str("DB_USER", default="root"),
            "PASSWORD": env.str("DB_PASSWORD", default=""),
            "NAME": env.str("DB_NAME", default="workbox_db"),
        }
    else:
        url = url or f"sqlite:///{BASE_DIR / 'var' / 'workbox.sqlite3'}"
        config = env.db_url_config(
            url.replace("mysql+pymysql://", "mysql://", 1).replace("mysql+mysqldb://", "mysql://", 1)
        )
    if config["ENGINE"].endswith("sqlite3"):
        Path(config["NAME"]).parent.mkdir(parents=True, exist_ok=True)
        return config | {
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON",
            },
            "CONN_MAX_AGE": env.int("CONN_MAX_AGE", default=0),
            # A name of one's own lets several test runs share this folder.
            "TEST": {"NAME": str(BASE_DIR / "var" / f"{env.str('TEST_DB_NAME', default='') or 'test'}.sqlite3")},
        }
    if config["ENGINE"].endswith("mysql"):
        return config | {
            "ENGINE": "workbox.core.mysql",
            "OPTIONS": {
                "charset": "utf8mb4",
                "isolation_level": "read committed",
                "init_command": (
                    "SET SESSION sql_mode='STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO',"
                    " SESSION innodb_lock_wait_timeout=3 /*M!100306 , SESSION idle_write_transaction_timeout=10 */"
                ),
                "connect_timeout": 5,
            },
            "CONN_MAX_AGE": env.int("CONN_MAX_AGE", default=600),
            "TEST": {
                "CHARSET": "utf8mb4",
                "NAME": env.str("TEST_DB_NAME", default="") or f"test_{config['NAME']}",
            },
        }
    return config
