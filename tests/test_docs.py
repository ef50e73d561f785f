"""The documentation says what is there: words, settings, frames, commands and links are looked up in the code."""

import re
from decimal import Decimal
from pathlib import Path

import orjson
import pytest
from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.core.management import get_commands
from django.db.models import Model

from workbox import realtime
from workbox.core import stream
from workbox.core.events import NewEvent
from workbox.management.commands import realtime as documents

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]
ENVELOPE = {"type", "cursor", "event_id", "at"}
ONE = Decimal(1)


def read(name: str) -> str:
    return (ROOT / name).read_text()


def test_every_word_of_the_glossary_lives_where_it_says() -> None:
    places = re.findall(r"\| `([a-z]+)\.([A-Za-z]+)(?:\.([a-z_]+))?` \|", read("docs/glossary.md"))
    assert len(places) > 20
    for app, model_name, field in places:
        model: type[Model] = apps.get_model(app, model_name)
        if field:
            try:
                model._meta.get_field(field)
            except FieldDoesNotExist:
                pytest.fail(f"{app}.{model_name} has no field {field}")


def test_the_example_environment_lists_every_setting() -> None:
    pattern = re.compile(r"env\.(?:str|int|bool|list)\(\s*\"([A-Z_]+)\"")
    sources = [
        ROOT / "workbox/settings.py",
        ROOT / "workbox/env.py",
        *(ROOT / "workbox/management/commands").glob("*.py"),
    ]
    used = {name for source in sources for name in pattern.findall(source.read_text())}
    used |= {"SECRET_KEY", "JWT_SECRET_KEY", "DATABASE_URL"}
    listed = set(re.findall(r"^#? ?([A-Z_]+)=", read(".env.example"), re.MULTILINE))
    assert used - listed == set(), "not in .env.example"
    assert listed - used == set(), "in .env.example, but nobody reads it"


def frames() -> dict[str, NewEvent]:
    return {frame.example.type: frame.example for frame in realtime.FRAMES}


def test_the_protocol_documents_are_what_the_code_sends() -> None:
    made = documents.page(), documents.document()
    assert made == (documents.PAGE.read_text(), documents.DOCUMENT.read_text()), "run manage.py realtime --write"


def test_every_fact_the_source_tells_is_in_the_documents() -> None:
    told = set()
    for room in ("accounts", "inventory", "orders", "purchasing", "insights"):
        for path in (ROOT / room).rglob("*.py"):
            if "tests" not in path.parts:
                told |= set(re.findall(r'NewEvent\(\s*"(\w+)"', path.read_text()))
    assert len(told) > 5
    assert told - {"access_changed"} <= set(frames())


def test_the_protocol_page_shows_every_frame_with_its_keys() -> None:
    shown = [orjson.loads(text) for text in re.findall(r"```json\n(.+?)\n```", read("docs/realtime.md"))]
    own = {frame["type"] for frame, _ in realtime.OWN_FRAMES}
    assert {frame["type"] for frame in shown} == set(frames()) | own
    for frame in (one for one in shown if one["type"] not in own):
        event = frames()[frame["type"]]
        assert set(frame) == set(event.payload) | ENVELOPE, frame["type"]
    update = next(frame for frame in shown if frame["type"] == "inventory_update")
    assert set(update["by_warehouse"][0]) == set(frames()["inventory_update"].payload["by_warehouse"][0])


def test_the_protocol_document_has_both_channels_with_all_that_is_said_on_them() -> None:
    found = orjson.loads(read("docs/asyncapi.json"))
    own = {"hello", "subscribed", "heartbeat", "pong", "resync_required", "error"}
    told = set(re.findall(r"^def (\w+)\(.*\) -> dict", read("workbox/core/stream_frames.py"), re.MULTILINE))
    assert told == own
    live, dashboard = (found["channels"][name] for name in ("live", "dashboard"))
    assert set(live["messages"]) == set(frames()) | own | {"subscribe", "ping"}
    assert (dashboard["address"], set(dashboard["messages"])) == ("/ws/dashboard", {"picture", "pong", "error", "ping"})
    assert set(found["components"]["messages"]) == set(live["messages"]) | set(dashboard["messages"])
    refused = set(re.findall(r'(?:stream_frames\.error|_refuse)\((?:\w+, )?"(\w+)"', read("workbox/core/stream.py")))
    assert refused <= set(found["components"]["messages"]["error"]["payload"]["properties"]["code"]["enum"])
    assert len(refused) > 4


def test_the_protocol_page_names_every_close_code_and_topic() -> None:
    page = read("docs/realtime.md")
    codes = {value for name, value in vars(stream).items() if name.startswith("CLOSE_")}
    assert {int(code) for code in re.findall(r"^\| (\d{4}) \|", page, re.MULTILINE)} == codes | {4404}
    assert all(f'"{topic}"' in page or f"topic `{topic}`" in page for topic in stream.TOPICS)


def test_every_command_the_documents_name_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    for document in DOCUMENTS:
        text = document.read_text()
        for command in re.findall(r"manage\.py ([a-z_]+)", text):
            assert command in get_commands(), f"{document.name}: manage.py {command}"
        for target in re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE):
            assert target in targets, f"{document.name}: make {target}"


def test_every_link_and_path_in_the_documents_exists() -> None:
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
            assert target.startswith("http") or (document.parent / target).exists(), f"{document.name}: {target}"
        for path in re.findall(
            r"`((?:docs|tests|scripts|examples|workbox|inventory|orders|accounts)/[\w/]+\.\w+)`", document.read_text()
        ):
            assert (ROOT / path).exists(), f"{document.name}: {path}"


def test_every_decision_is_numbered_once() -> None:
    numbers = [path.name[:4] for path in sorted((ROOT / "docs/decisions").glob("*.md"))]
    assert len(numbers) == len(set(numbers))
    assert all(number.isdigit() for number in numbers)


def test_the_seed_page_names_its_tests() -> None:
    for name in re.findall(r"`(tests/\w+\.py)`", read("docs/seeds.md")):
        assert (ROOT / name).exists()
