"""Jobs: queued, taken once, cancelled, watched, and their files fetched by whom they belong to."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from inventory.models import Product
from tests.client import Api
from workbox.core.errors import RuleViolation
from workbox.jobs import services
from workbox.jobs.errors import Cancelled, TakenOver
from workbox.jobs.models import Job, JobState
from workbox.jobs.services import Outcome, Progress
from workbox.jobs.tests.doing import work_off

pytestmark = pytest.mark.django_db
done_by: list[int] = []


def count_up(job: Job, progress: Progress) -> Outcome:
    """A job's work that can be counted."""
    done_by.append(job.pk)
    for one in range(3):
        progress.checkpoint(one, 3, f"step {one}")
        if one == job.params.get("cancel_at"):
            services.cancel(job.pk)
    return Outcome({"sum": 3})


def refuse(job: Job, progress: Progress) -> Outcome:
    raise RuleViolation("Not like this.", code="not_like_this")


def break_down(job: Job, progress: Progress) -> Outcome:
    raise ZeroDivisionError


@pytest.fixture(autouse=True)
def kinds(settings: Any) -> None:
    done_by.clear()
    here = "workbox.jobs.tests.test_jobs."
    settings.WORKBOX_JOBS = settings.WORKBOX_JOBS | {
        "count": f"{here}count_up", "refuse": f"{here}refuse", "break": f"{here}break_down",
        "overtaken": f"{here}overtaken",
    }  # fmt: skip


def test_a_job_is_done_once_however_often_it_is_delivered(make_user: Callable[..., User]) -> None:
    job = services.start("count", {}, user_id=make_user("manager").pk)
    assert [services.run(job.pk), services.run(job.pk)] == [True, False]
    job.refresh_from_db()
    assert (job.state, job.progress, job.result, job.attempt) == (JobState.DONE, 100, {"sum": 3}, 1)
    assert done_by == [job.pk]


def test_a_running_job_stops_at_its_next_checkpoint() -> None:
    job = services.start("count", {"cancel_at": 1}, user_id=None)
    assert services.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.done_count, job.finished_at is not None) == (JobState.CANCELLED, 2, True)


def test_what_a_rule_refuses_and_what_breaks_is_told_apart() -> None:
    refused, broken = services.start("refuse", {}, user_id=None), services.start("break", {}, user_id=None)
    services.run(refused.pk)
    with pytest.raises(ZeroDivisionError):
        services.run(broken.pk)
    refused.refresh_from_db()
    broken.refresh_from_db()
    assert (refused.state, refused.error, refused.result["code"]) == ("failed", "Not like this.", "not_like_this")
    assert (broken.state, broken.error) == ("failed", "Something went wrong on our side; it has been logged.")


def test_a_job_whose_worker_fell_silent_goes_to_another_and_the_first_may_write_no_more() -> None:
    job = services.start("count", {}, user_id=None)
    first = services.claim(job.pk)
    assert first is not None
    assert services.resend_and_requeue()["requeued"] == 0
    Job.objects.filter(pk=job.pk).update(heartbeat_at=timezone.now() - timedelta(minutes=6))
    assert services.resend_and_requeue()["requeued"] == 1
    assert services.resend_and_requeue()["requeued"] == 0
    assert services.run(job.pk)
    with pytest.raises(TakenOver):
        Progress(job.pk, first.attempt).checkpoint(1, 2)
    job.refresh_from_db()
    assert (job.state, job.attempt, job.result) == ("done", 2, {"sum": 3})


def lose_worker(job_id: int) -> None:
    """The job's worker has been silent for so long that the reaper acts."""
    Job.objects.filter(pk=job_id).update(heartbeat_at=timezone.now() - timedelta(minutes=6))
    services.resend_and_requeue()


def overtaken(job: Job, progress: Progress) -> Outcome:
    """A job's work that takes so long that another worker begins it; what comes of it depends on `then`."""
    lose_worker(job.pk)
    if job.params.get("begun_again", True):
        assert services.claim(job.pk) is not None
    if job.params["then"] == "refuse":
        raise RuleViolation("Too late.", code="too_late")
    return Outcome({"by": "the first"})


@pytest.mark.parametrize("then", ["finish", "refuse"])
def test_a_late_worker_does_not_end_the_job_that_another_is_doing(then: str) -> None:
    job = services.start("overtaken", {"then": then}, user_id=None)
    services.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.attempt, job.result, job.error) == (JobState.RUNNING, 2, {}, "")
    with pytest.raises(TakenOver):
        Progress(job.pk, 1).checkpoint(7, 10, "late")
    Progress(job.pk, 2).checkpoint(1, 10, "mine")
    job.refresh_from_db()
    assert (job.done_count, job.message) == (1, "mine")


def test_a_late_worker_does_not_end_a_job_that_waits_for_another() -> None:
    job = services.start("overtaken", {"then": "finish", "begun_again": False}, user_id=None)
    services.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.attempt, job.result) == (JobState.QUEUED, 1, {})
    with pytest.raises(TakenOver):
        Progress(job.pk, 1).checkpoint(7, 10, "late")


def test_three_silent_workers_are_enough() -> None:
    job = services.start("count", {}, user_id=None)
    for _ in range(3):
        assert services.claim(job.pk) is not None
        Job.objects.filter(pk=job.pk).update(heartbeat_at=timezone.now() - timedelta(minutes=6))
        found = services.resend_and_requeue()
    job.refresh_from_db()
    assert (found["failed"], job.state) == (1, "failed")


def test_a_cancelled_job_of_a_dead_worker_is_not_begun_again() -> None:
    job = services.start("count", {}, user_id=None)
    services.claim(job.pk)
    services.cancel(job.pk)
    Job.objects.filter(pk=job.pk).update(heartbeat_at=timezone.now() - timedelta(minutes=6))
    assert services.resend_and_requeue()["cancelled"] == 1
    assert Job.objects.get().state == "cancelled"


def test_a_queued_job_that_nobody_took_is_sent_again() -> None:
    job = services.start("count", {}, user_id=None)
    assert services.resend_and_requeue()["sent_again"] == 0
    Job.objects.filter(pk=job.pk).update(created_at=timezone.now() - timedelta(minutes=6))
    assert services.resend_and_requeue()["sent_again"] == 1


def test_progress_is_written_at_most_every_half_second(django_assert_num_queries: Any) -> None:
    job = services.start("count", {}, user_id=None)
    claimed = services.claim(job.pk)
    assert claimed is not None
    progress = Progress(job.pk, claimed.attempt)
    with django_assert_num_queries(2):  # one write, one look whether to stop
        for one in range(1000):
            progress(one, 1000)
    services.cancel(job.pk)
    progress(1, 1000)
    with pytest.raises(Cancelled):
        progress.checkpoint(1, 1000)


# ---- over REST -------------------------------------------------------------------------------------------------------
def test_an_export_is_started_watched_and_fetched(make_product: Callable[..., Product], manager: Api) -> None:
    make_product("Lamp", sku="LAMP")
    started = manager("POST", "exports", {"what": "products"}, Idempotency_Key="k")
    again = manager("POST", "exports", {"what": "products"}, Idempotency_Key="k")
    assert (started.status_code, started.content, started["Location"]) == (202, again.content, again["Location"])
    where = started["Location"].removeprefix("/api/v1/")
    queued = manager("GET", where)
    assert (queued.json()["state"], manager("GET", f"{where}/file").json()["code"]) == ("queued", "no_file")
    assert manager("GET", where, If_None_Match=queued["ETag"]).status_code == 304
    work_off()
    done = manager("GET", where, If_None_Match=queued["ETag"]).json()
    assert (done["state"], done["progress"], done["result"]) == ("done", 100, {"rows": 1})
    file = manager("GET", where + "/file")
    assert file["Content-Disposition"] == 'attachment; filename="products.csv"'
    assert b"LAMP" in b"".join(file.streaming_content)


def test_somebody_elses_job_does_not_exist(as_staff: Callable[[str], Api], main: Any) -> None:
    manager, analyst = as_staff("manager"), as_staff("analyst")
    manager("POST", "exports", {"what": "products"})
    analyst("POST", "exports", {"what": "vendors"})
    (theirs, own) = work_off()
    for path in ("", "/file"):
        assert analyst("GET", f"jobs/{theirs.pk}{path}").json()["code"] == "job_not_found"
        for api in (analyst, manager):
            response = api("GET", f"jobs/{own.pk}{path}")
            assert response.status_code == 200
            if response.streaming:
                assert b"".join(response.streaming_content)
    assert analyst("POST", f"jobs/{theirs.pk}/cancel").status_code == 404
    assert [row["id"] for row in analyst("GET", "jobs").json()["results"]] == [own.pk]
    assert [row["id"] for row in manager("GET", "jobs").json()["results"]] == [own.pk, theirs.pk]


def test_a_queued_job_is_cancelled_at_once_and_a_finished_one_not(manager: Api, main: Any) -> None:
    job = manager("POST", "exports", {"what": "products"}).json()["id"]
    cancelled = manager("POST", f"jobs/{job}/cancel")
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    assert work_off() == []
    again = manager("POST", f"jobs/{job}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "job_finished")


def test_old_files_go_and_their_jobs_stay(manager: Api, main: Any, var_dir: Path) -> None:
    manager("POST", "exports", {"what": "products"})
    (job,) = work_off()
    assert services.clear_old_files() == 0
    assert services.clear_old_files(kept=timedelta(days=-1)) == 1
    assert manager("GET", f"jobs/{job.pk}/file").json()["code"] == "no_file"
    assert not job.path.exists()


def test_what_was_sent_again_is_left_alone_for_a_while_and_many_go_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        services.start("count", {}, user_id=None)
    Job.objects.update(created_at=timezone.now() - timedelta(minutes=6))
    monkeypatch.setattr(services, "SENT_AGAIN_MAX", 2)
    assert [services.resend_and_requeue()["sent_again"] for _ in range(3)] == [2, 1, 0]
    Job.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=6))
    assert services.resend_and_requeue()["sent_again"] == 2
