"""The desk's pages, below /admin/ and behind its login."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.urls import URLPattern, path

from workbox.desk import board


def _page(route: str, view: Callable[..., Any], name: str) -> URLPattern:
    return path(f"admin/{route}", admin.site.admin_view(view), name=name)


urlpatterns = [
    _page("board/", board.board, "board"),
    _page("board/cards/", board.board_cards, "board-cards"),
    _page("board/orders/<int:order_id>/<slug:step>/", board.board_step, "board-step"),
    _page("board/bulk/<slug:step>/", board.board_bulk, "board-bulk"),
]
