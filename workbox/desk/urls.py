"""The desk's pages, below /admin/ and behind its login."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.urls import URLPattern, path

from workbox.desk import board, home, lists, search


def _page(route: str, view: Callable[..., Any], name: str) -> URLPattern:
    return path(f"admin/{route}", admin.site.admin_view(view), name=name)


urlpatterns = [
    _page("board/", board.board, "board"),
    _page("board/cards/", board.board_cards, "board-cards"),
    _page("board/orders/<int:order_id>/<slug:step>/", board.board_step, "board-step"),
    _page("board/bulk/<slug:step>/", board.board_bulk, "board-bulk"),
    _page("home/figures/", home.figures, "home-figures"),
    # Before the admin's own route of the same path, so that `admin:search` leads here.
    _page("search/", search.search_page, "desk-search"),
    _page("desk/filters/save/", lists.save_filter, "desk-filter-save"),
    _page("desk/filters/<int:filter_id>/delete/", lists.delete_filter, "desk-filter-delete"),
    _page("desk/export/<str:list_of>/<slug:kind>/", lists.export, "desk-export"),
]
