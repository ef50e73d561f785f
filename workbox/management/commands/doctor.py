"""`manage.py doctor`: look at everything WorkBox stands on, and name the line that fixes what is wrong."""

import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import redis
from django.conf import settings
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Max, Min
from django.utils import timezone
from django_celery_beat.models import PeriodicTask
from kombu.exceptions import OperationalError as BrokerError

from inventory.services.protection import missing_guards
from workbox.celery import app
from workbox.core.commands import FINDINGS, OK, WorkBoxCommand
from workbox.core.db import is_mysql
from workbox.core.views import unreadable_networks
from workbox.env import KEY_LENGTH_MIN
from workbox.jobs.models import Job, JobState

FINE, NOTE, PROBLEM = "ok", "note", "problem"
MARKS = {FINE: "ok  ", NOTE: "note", PROBLEM: "FIX "}
DISK_FREE_MIN_BYTES = 1024**3
LOCK_WAIT_MAX_SECONDS = 10
WORKER_PING_SECONDS = 1.0
JOB_WAIT_MAX = timedelta(minutes=10)
REDIS_TIMEOUT_SECONDS = 2.0
WORKER = "celery -A workbox worker --beat   (the Procfile's worker)"
LOCAL_HOSTS = {"localhost", "127.0.0.1", "[::1]"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `fix` is the exact line that mends it (or that a bigger installation would want)."""

    what: str
    level: str
    found: str
    fix: str = ""


Findings = Iterator[Finding]


def judged(what: str, good: bool, found: object, fix: str, *, otherwise: str = PROBLEM) -> Finding:
    """Fine when good; else a problem (or what `otherwise` says) with its fix."""
    return Finding(what, FINE, str(found)) if good else Finding(what, otherwise, str(found), fix)


class Command(WorkBoxCommand):
    """Exit code 0: nothing to mend (notes are advice). 3: at least one problem, each with its line."""

    help = (
        "Examine database, Redis, broker, keys, addresses, disk and the ledger's guards; say how to mend each finding."
    )

    def run(self, **options: Any) -> int:
        findings = list(examine())
        problems = sum(one.level == PROBLEM for one in findings)
        if options["json"]:
            self.answer({"healthy": not problems, "problems": problems, "findings": [asdict(one) for one in findings]})
        else:
            for one in findings:
                self.say(f"{MARKS[one.level]}  {one.what:<26}{one.found}")
                if one.fix:
                    self.say(f"      {'':<26}→ {one.fix}")
            self.say(f"\n{problems} to fix." if problems else "\nHealthy.")
        return FINDINGS if problems else OK


def examine() -> Findings:
    """Look at everything; what needs the database is left out when it cannot be reached."""
    try:
        connection.ensure_connection()
    except Error as error:
        fix = "start it, or set DATABASE_URL=mysql://USER:PASSWORD@HOST:3306/workbox_db   (make services starts one)"
        yield Finding("database", PROBLEM, f"not reachable: {error}", fix)
    else:
        for look in (_mysql if is_mysql() else _sqlite, _migrations):
            yield from look()
        if connection.introspection.table_names():
            yield from _guards()
            yield from _beat()
            yield from _jobs()
    for elsewhere in (_redis, _broker, _keys, _web, _disk):
        yield from elsewhere()


# ---- database --------------------------------------------------------------------------------------------------------
def _sqlite() -> Findings:
    version = ".".join(map(str, connection.Database.sqlite_version_info))  # type: ignore[attr-defined]  # the driver's module, on every backend
    yield Finding("database", FINE, f"SQLite {version}, {connection.settings_dict['NAME']}")
    many = "DATABASE_URL=mysql://USER:PASSWORD@HOST:3306/workbox_db"
    yield Finding("concurrency", NOTE, "one writer at a time: right for one machine, not for many", many)
    journal, foreign_keys = _value("PRAGMA journal_mode"), _value("PRAGMA foreign_keys")
    yield judged("journal mode", journal == "wal", journal, "PRAGMA journal_mode=WAL;")
    yield judged("foreign keys", foreign_keys == 1, "on" if foreign_keys else "off", "PRAGMA foreign_keys=ON;")


def _mysql() -> Findings:
    with connection.cursor() as cursor:
        cursor.execute("SHOW SESSION VARIABLES")
        found: dict[str, str] = dict(cursor.fetchall())
    database = connection.settings_dict["NAME"]
    driver = ".".join(map(str, connection.Database.version_info[:3]))  # type: ignore[attr-defined]  # the driver's module, on every backend
    yield Finding("database", FINE, f"{connection.display_name} {found['version']}, mysqlclient {driver}, {database}")
    isolation = found.get("transaction_isolation") or found.get("tx_isolation", "")
    yield judged(
        "isolation",
        isolation == "READ-COMMITTED",
        isolation,
        'OPTIONS = {"isolation_level": "read committed"} in DATABASES',
    )
    flush = found["innodb_flush_log_at_trx_commit"]
    durable = "SET GLOBAL innodb_flush_log_at_trx_commit = 1;  (and in [mysqld]: innodb_flush_log_at_trx_commit = 1)"
    yield judged("durable commits", flush == "1", f"innodb_flush_log_at_trx_commit = {flush}", durable)
    if found["log_bin"] == "ON":
        sync = found["sync_binlog"]
        yield judged("binary log", sync == "1", f"sync_binlog = {sync}", "SET GLOBAL sync_binlog = 1;", otherwise=NOTE)
    mode = found["sql_mode"]
    yield judged("SQL mode", "STRICT_TRANS_TABLES" in mode, mode, "SET GLOBAL sql_mode = 'STRICT_TRANS_TABLES';")
    charset = f"ALTER DATABASE `{database}` CHARACTER SET utf8mb4;"
    collation = found["collation_database"]
    yield judged("collation", collation.startswith("utf8mb4"), collation, charset)
    wait = int(found["innodb_lock_wait_timeout"])
    yield judged(
        "lock wait",
        wait <= LOCK_WAIT_MAX_SECONDS,
        f"{wait} s",
        "SET GLOBAL innodb_lock_wait_timeout = 3;",
        otherwise=NOTE,
    )
    yield from _time_zones(found)


def _time_zones(found: dict[str, str]) -> Findings:
    zone = found["system_time_zone"] if found["time_zone"] == "SYSTEM" else found["time_zone"]
    is_utc = zone in ("UTC", "+00:00")
    words = f"{zone} (WorkBox stores and counts in UTC itself)"
    yield judged(
        "server time zone", is_utc, zone if is_utc else words, "SET GLOBAL time_zone = '+00:00';", otherwise=NOTE
    )
    loaded = _value("SELECT CONVERT_TZ('2020-06-01 12:00:00', 'UTC', 'Europe/London')") is not None
    load = "mariadb-tzinfo-to-sql /usr/share/zoneinfo | mariadb mysql   (MySQL: mysql_tzinfo_to_sql)"
    yield judged("time-zone tables", loaded, "loaded" if loaded else "empty; reports are in UTC", load, otherwise=NOTE)


def _value(sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        row = cursor.fetchone()
    return row[0] if row else None


def _migrations() -> Findings:
    executor = MigrationExecutor(connection)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    words = f"{len(pending)} pending" if pending else "all applied"
    yield judged("migrations", not pending, words, "python manage.py migrate")


def _guards() -> Findings:
    missing = missing_guards()
    words = f"{len(missing)} missing" if missing else "installed"
    fix = "python manage.py protect_ledger"
    yield judged("ledger guards", not missing, words, fix, otherwise=PROBLEM if is_mysql() else NOTE)


def _beat() -> Findings:
    if PeriodicTask._meta.db_table not in connection.introspection.table_names():
        return
    known = set(PeriodicTask.objects.filter(enabled=True).values_list("task", flat=True))
    missing = sorted({entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()} - known)
    last = PeriodicTask.objects.filter(enabled=True).aggregate(last=Max("last_run_at"))["last"]
    ran = f"last run {last:%Y-%m-%d %H:%M}" if last else "none has run yet"
    words = f"not scheduled yet: {', '.join(missing)}" if missing else f"{len(known)} tasks scheduled, {ran}"
    yield judged("beat", not missing, words, WORKER, otherwise=NOTE)


def _jobs() -> Findings:
    """Long work that people asked for: what waits, what failed, what was done last."""
    if Job._meta.db_table not in connection.introspection.table_names():
        return
    now = timezone.now()
    oldest = Job.objects.filter(state=JobState.QUEUED).aggregate(first=Min("created_at"))["first"]
    waiting = Job.objects.filter(state=JobState.QUEUED).count()
    words = f"{waiting} waiting" + (f" since {oldest:%Y-%m-%d %H:%M}" if oldest else "")
    yield judged("jobs", oldest is None or now - oldest < JOB_WAIT_MAX, words, WORKER)
    failed = Job.objects.filter(state=JobState.FAILED, finished_at__gte=now - timedelta(days=1)).count()
    last = Job.objects.filter(finished_at__isnull=False).order_by("-finished_at").first()
    words = "none has run yet"
    if last is not None:
        words = f"{last.kind} {last.pk} {last.state} {last.finished_at:%Y-%m-%d %H:%M}; {failed} failed in a day"
    yield judged(
        "last jobs", not failed, words, "/admin/jobs/job/?state__exact=failed   (each says why)", otherwise=NOTE
    )


# ---- around it -------------------------------------------------------------------------------------------------------
def _redis() -> Findings:
    if not settings.REDIS_URL:
        yield Finding("Redis", NOTE, "none: right for one server process", "REDIS_URL=redis://HOST:6379/0")
        return
    timeouts = {"socket_timeout": REDIS_TIMEOUT_SECONDS, "socket_connect_timeout": REDIS_TIMEOUT_SECONDS}
    try:
        version = redis.Redis.from_url(settings.REDIS_URL, **timeouts).info("server")["redis_version"]
    except redis.RedisError as error:
        words = f"not reachable: {error} (orders still work; live views lag by a second)"
        yield Finding("Redis", PROBLEM, words, "start it, or correct REDIS_URL=redis://HOST:6379/0")
    else:
        yield Finding("Redis", FINE, version)


def _broker() -> Findings:
    address = settings.CELERY_BROKER_URL.rpartition("@")[2]
    try:
        with app.connection_for_read() as wire:
            wire.ensure_connection(max_retries=1, timeout=REDIS_TIMEOUT_SECONDS)
            answers = app.control.ping(timeout=WORKER_PING_SECONDS, connection=wire)
    except (BrokerError, OSError, redis.RedisError) as error:
        yield Finding("broker", PROBLEM, f"{address} not reachable: {error}", "correct CELERY_BROKER_URL")
        return
    yield Finding("broker", FINE, address)
    words = f"{len(answers)} answer" if answers else "none answers: jobs stay queued, nightly work is not done"
    yield judged(
        "workers", bool(answers), words, WORKER, otherwise=NOTE if settings.DEBUG or not is_mysql() else PROBLEM
    )


def _keys() -> Findings:
    make = '{}=$(python3 -c "import secrets; print(secrets.token_urlsafe(48))")'
    for name in ("SECRET_KEY", "JWT_SECRET_KEY"):
        key = getattr(settings, name)
        good = len(key) >= KEY_LENGTH_MIN and not key.startswith("debug-only-")
        yield judged(name, good, f"{len(key)} characters", make.format(name))
    same = settings.SECRET_KEY == settings.JWT_SECRET_KEY
    words = "the same" if same else "different"
    yield judged("keys", not same, f"sessions and tokens: {words}", make.format("JWT_SECRET_KEY"), otherwise=NOTE)


def _web() -> Findings:
    yield judged("DEBUG", not settings.DEBUG, "on" if settings.DEBUG else "off", "DEBUG=false")
    hosts = set(settings.ALLOWED_HOSTS) - LOCAL_HOSTS
    good = bool(hosts) and "*" not in hosts
    words = ", ".join(sorted(hosts)) or "this machine only"
    yield judged(
        "allowed hosts", good, words, "ALLOWED_HOSTS=shop.example.com", otherwise=PROBLEM if "*" in hosts else NOTE
    )
    wrong = unreadable_networks(settings.METRICS_ALLOW)
    words = f"no address and no network: {', '.join(wrong)}" if wrong else f"{len(settings.METRICS_ALLOW)} networks"
    yield judged("METRICS_ALLOW", not wrong, words, "METRICS_ALLOW=10.0.0.0/8,127.0.0.1")
    secure = settings.SECURE_SSL_REDIRECT and settings.SESSION_COOKIE_SECURE
    words = "enforced" if secure else "not enforced: right only on this machine"
    yield judged("HTTPS", secure, words, "SECURE_SSL_REDIRECT=true SECURE_HSTS_SECONDS=31536000", otherwise=NOTE)


def _disk() -> Findings:
    folder = Path(settings.VAR_DIR)
    if not folder.exists():
        yield Finding("disk", NOTE, f"{folder} does not exist yet", f"mkdir -p {folder}")
        return
    free = shutil.disk_usage(folder).free
    words = f"{free / 1024**3:.1f} GB free for {folder}"
    yield judged("disk", free >= DISK_FREE_MIN_BYTES, words, f"du -sh {folder}/*   (make room; at least 1 GB)")
