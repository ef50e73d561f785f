"""`manage.py realtime`: the live protocol's documents, made from what the code sends."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings

from workbox import realtime
from workbox.core.commands import FINDINGS, OK, WorkBoxCommand
from workbox.env import BASE_DIR

PAGE, DOCUMENT = BASE_DIR / "docs" / "realtime.md", BASE_DIR / "docs" / "asyncapi.json"


class Command(WorkBoxCommand):
    """Say whether docs/realtime.md and docs/asyncapi.json are what the code sends, or write them."""

    help = "Check docs/realtime.md and docs/asyncapi.json against what the code sends; --write brings them up to date."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--write", action="store_true", help="write both files")

    def run(self, **options: Any) -> int:
        made = {PAGE: page(), DOCUMENT: document()}
        stale = [path.name for path, text in made.items() if not path.exists() or path.read_text() != text]
        if options["write"]:
            for path, text in made.items():
                path.write_text(text)
        if options["json"]:
            self.answer({"stale": stale, "written": options["write"]})
        elif stale:
            self.say(f"{'Written' if options['write'] else 'Out of date'}: {', '.join(stale)}")
        else:
            self.say("Both documents say what the code sends.")
        return FINDINGS if stale and not options["write"] else OK


def page(path: Path = PAGE) -> str:
    """docs/realtime.md with its frames made anew."""
    text = path.read_text()
    before, _, rest = text.partition(realtime.BEGIN)
    return before + realtime.markdown() + rest.partition(realtime.END)[2]


def document() -> str:
    """docs/asyncapi.json."""
    made = orjson.dumps(realtime.asyncapi(settings.VERSION), option=orjson.OPT_INDENT_2)
    return made.decode() + "\n"
