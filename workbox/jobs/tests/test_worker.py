"""A real Celery worker on Redis: jobs asked for over REST are done, survive kill -9, and stop when cancelled."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from inventory.models import Product, StockLevel, StockOperation
from tests.client import Api
from tests.servers import ROOT, database_url
from workbox.jobs import services
from workbox.jobs.models import Job, JobState

pytestmark = [pytest.mark.mariadb, pytest.mark.slow, pytest.mark.django_db(transaction=True)]
PATIENCE_SECONDS = 60


@contextmanager
def worker(var_dir: Path, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """One worker process on the test database; it is gone afterwards."""
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "workbox.settings",
        "DATABASE_URL": database_url(),
        "REDIS_URL": settings.REDIS_URL,
        "CELERY_BROKER_URL": settings.CELERY_BROKER_URL,
        "SECRET_KEY": settings.SECRET_KEY,
        "JWT_SECRET_KEY": settings.JWT_SECRET_KEY,
        "WORKBOX_VAR_DIR": str(var_dir),
        **variables,
    }
    command = ["-m", "celery", "-A", "workbox", "worker", "--pool", "solo", "--loglevel", "WARNING"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    process = subprocess.Popen([sys.executable, *command, *quiet], cwd=ROOT, env=environment)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(job_id: int, *states: str) -> Job:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        job = Job.objects.get(pk=job_id)
        if job.state in states:
            return job
        time.sleep(0.05)
    raise AssertionError(f"job {job_id} is {job.state}: {job.error}")


def test_a_worker_does_what_is_asked_over_rest(
    make_product: Callable[..., Product], manager: Api, var_dir: Path
) -> None:
    make_product("Lamp", sku="LAMP")
    with worker(var_dir):
        started = manager("POST", "exports", {"what": "products", "format": "csv"})
        job = wait_for(started.json()["id"], "done", "failed")
        assert (job.state, job.result) == ("done", {"rows": 1})
        file = manager("GET", f"jobs/{job.pk}/file")
        assert b"LAMP" in b"".join(file.streaming_content)


def test_a_worker_killed_in_the_middle_is_followed_by_another_and_nothing_happens_twice(
    make_product: Callable[..., Product], manager: Api, var_dir: Path
) -> None:
    """The first worker is stopped by a lock in the middle of its transaction, and killed there."""
    lamp = make_product("Lamp", sku="LAMP", stock=5)
    rows = "".join(f"S{one},N{one},1,2\n" for one in range(200))
    upload = manager("POST", "imports?what=products", f"sku,name,price,on_hand MAIN\nLAMP,,,8\n{rows}".encode())
    services.run(upload.json()["job"]["id"])
    before = StockOperation.objects.count()
    with worker(var_dir) as first:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM inventory_productstock WHERE product_id = %s FOR UPDATE", [lamp.pk])
            cursor.fetchall()
            number = upload.json()["id"]
            # In a connection of its own the request would be committed; here it is queued by hand after the lock.
            applied = services.start("import_apply", {"import": number, "mode": "all_or_nothing"}, user_id=None)
            from_import(number, applied)
        # The lock is gone with the commit that queued the job: hold it again while the worker runs into it.
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM inventory_productstock WHERE product_id = %s FOR UPDATE", [lamp.pk])
            cursor.fetchall()
            state = seen_running(applied.pk)
            first.kill()
            first.wait()
    assert state == JobState.RUNNING
    assert (StockOperation.objects.count(), Product.objects.count()) == (before, 1)
    with worker(var_dir):
        Job.objects.filter(pk=applied.pk).update(heartbeat_at=timezone.now() - timedelta(minutes=6))
        assert services.resend_and_requeue()["requeued"] == 1
        job = wait_for(applied.pk, "done", "failed")
    assert (job.state, job.attempt, job.result["applied"]) == ("done", 2, 201)
    assert (StockOperation.objects.count(), Product.objects.count()) == (before + 1, 201)
    assert StockLevel.objects.get(product=lamp).on_hand == 8


def from_import(number: int, job: Job) -> None:
    """The import waits for this job, as `start_apply` leaves it."""
    connection.cursor().execute("UPDATE exchange_import SET job_id = %s WHERE id = %s", [job.pk, number])


def seen_running(job_id: int) -> str:
    """The job's state as soon as a worker has it; READ COMMITTED shows what others commit."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        state = str(Job.objects.values_list("state", flat=True).get(pk=job_id))
        if state != JobState.QUEUED:
            return state
        time.sleep(0.05)
    return "never taken"


def test_a_running_export_is_cancelled_and_leaves_no_file(
    make_product: Callable[..., Product], manager: Api, var_dir: Path, settings: Any
) -> None:
    for one in range(3):
        make_product(f"P{one}")
    with worker(var_dir, PYTHONPATH=str(ROOT)):
        with transaction.atomic(), connection.cursor() as cursor:
            job = services.start("export", {"what": "products", "format": "csv", "filters": {}}, user_id=None)
        # Its own row is held, so that its first checkpoint waits until the wish to cancel stands beside it.
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT state FROM jobs_job WHERE id = %s FOR UPDATE", [job.pk])
                if cursor.fetchone()[0] != JobState.QUEUED:
                    break
                Job.objects.filter(pk=job.pk).update(cancel_requested=True)
            time.sleep(0.01)
        found = wait_for(job.pk, "cancelled", "done", "failed")
    assert found.state == "cancelled"
    assert list((var_dir / "jobs").iterdir()) == []
