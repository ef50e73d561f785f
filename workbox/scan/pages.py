"""The scan station over HTTP: its page, what can be chosen on it, one scan, one undo, and its service worker.

A scan is a JSON POST with the session's CSRF token and a key of its own: sent twice it is booked once.
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import orjson
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_GET, require_POST

from inventory.models import StockCount, Warehouse
from orders.models import Order
from orders.states import CAN_SHIP
from purchasing.models import PurchaseOrder
from purchasing.states import CAN_RECEIVE
from workbox.core import walls
from workbox.core.api import error_body, error_response, json_response, read_object, status_of
from workbox.core.errors import Busy, DomainError, Forbidden, Invalid, NotFound
from workbox.core.idempotency import once
from workbox.core.models import IdempotencyKey
from workbox.core.numbers import ID_DIGITS_MAX, to_json
from workbox.core.reading import Fields
from workbox.scan.modes import ADJUST, COUNT, LOOK_UP, MOVE, NEEDS, ONE, PICK, RECEIVE, WORK, WRITES, Scan
from workbox.scan.undo import undo

M = TypeVar("M", bound=Model)
WORKER = Path(__file__).resolve().parent.parent / "static" / "workbox" / "scan-worker.js"
KEY_LENGTH_MAX = 100
CODE_LENGTH_MAX = 200
REASON_LENGTH_MAX = 400
CHOICES_MAX = 200
BASKET_MAX = 200
NAMES = {LOOK_UP: "Look up", RECEIVE: "Receive", PICK: "Pick", COUNT: "Count", MOVE: "Move", ADJUST: "Adjust"}
# Younger scans happened now; older ones were made offline and stand in the ledger at their own time.
LATE_AFTER = timedelta(seconds=60)
AGE_MAX = timedelta(days=14)
# What a person does about a refusal, by the error's code.
WHAT_TO_DO = {
    "barcode_not_found": "Link the code to its product, then try again.",
    "insufficient_stock": "Count the shelf: the books say there is less. Then try again or discard the scan.",
    "over_receipt": "More came than was ordered: ask the buyer, or receive the rest without the order.",
    "over_pick": "Put it back; the order has all it wants of it.",
    "illegal_transition": "Somebody closed it meanwhile. Choose another one, or discard the scan.",
    "counted_since": "Open the count and record what is right.",
    "product_retired": "Restore the product first, or put it aside.",
    "forbidden": "Ask a manager for the right, or let somebody else scan.",
    "warehouse_not_found": "Choose another warehouse, then scan again.",
}


def needs_staff(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """As a page of the admin: a session of staff, behind their walls, with themselves as actor."""
    return admin.site.admin_view(view)


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """The station: a shell without figures, so that the browser of whoever scans may keep it for when it is offline."""
    modes = [mode for mode in NAMES if _may(request, NEEDS[mode])]
    if not modes:
        raise PermissionDenied
    shown = {
        **admin.site.each_context(request),
        "title": "Scan",
        "modes": modes,
        "mode_names": [(mode, NAMES[mode]) for mode in modes],
        "user_id": request.user.pk,
    }
    return TemplateResponse(request, "admin/scan.html", shown)


@require_GET
def choices(request: HttpRequest) -> HttpResponse:
    """What the modes choose from: open purchase orders, orders to pick, open counts, warehouses.

    The lists are bounded; a paper that is named (`order_id`, `purchase_order_id`, `count_id`) is on its list whenever
    it is open. Five statements, and one for each named paper beyond its list.
    """
    places = walls.of(Warehouse.objects.filter(is_active=True)).order_by("priority", "id")
    bought = walls.of(PurchaseOrder.objects.filter(status__in=CAN_RECEIVE)).select_related("vendor").order_by("-id")
    wanted = walls.of(Order.objects.filter(status__in=CAN_SHIP)).select_related("customer", "user").order_by("id")
    opened = walls.of(StockCount.objects.filter(status=StockCount.Status.OPEN)).select_related("warehouse")
    return json_response(
        {
            "user_id": request.user.pk,
            "warehouses": [_choice(one.pk, f"{one.name} ({one.code})") for one in places],
            "purchase_orders": [
                _choice(one.pk, f"{one} · {one.vendor}")
                for one in _listed(bought, request.GET.get("purchase_order_id"))
            ],
            "orders": [
                _choice(one.pk, f"{one} · {one.customer or one.user or 'nobody named'}")
                for one in _listed(wanted, request.GET.get("order_id"))
            ],
            "counts": [
                _choice(one.pk, f"{one} · {one.warehouse.name}")
                for one in _listed(opened.order_by("-id"), request.GET.get("count_id"))
            ],
        }
    )


def _listed(found: QuerySet[M], named: str | None) -> list[M]:
    """The first so many, and the one with the named number if it is among the rest."""
    rows = list(found[:CHOICES_MAX])
    text = named or ""
    if text.isascii() and text.isdigit() and len(text) <= ID_DIGITS_MAX and int(text) not in {one.pk for one in rows}:
        rows += found.filter(pk=int(text))
    return rows


def _choice(number: int, label: str) -> dict[str, Any]:
    return {"id": number, "label": label}


def _may(request: HttpRequest, capability: str) -> bool:
    return bool(request.user.can(capability))  # type: ignore[union-attr]  # staff only get here: never AnonymousUser


def in_words(view: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """A refusal is an answer, too: the API's error body under `refused`, with its status and what to do about it.

    Not as the response's status: a code that nobody knows is no fault of the page, and browsers log every 4xx as one.
    """

    def answered(request: HttpRequest) -> HttpResponse:
        try:
            return view(request)
        except DomainError as error:
            if isinstance(error, Busy):
                return error_response(error)
            told = {"status": status_of(error), "what_to_do": WHAT_TO_DO.get(error.code, "")}
            return json_response({"refused": error_body(error) | told})

    return answered


@require_POST
@in_words
def scan(request: HttpRequest) -> HttpResponse:
    """One scan, booked once per key; a look-up or a pick writes nothing and needs no key."""
    body = read_object(request)
    wanted, key = _read(body)
    if not _may(request, wanted.needs):
        raise Forbidden("Your role may not do this at the scan station.")
    if wanted.mode not in WRITES:
        return json_response(WORK[wanted.mode](wanted))
    if not key:
        raise Invalid("A scan that books something needs a key.", fields={"key": ["this field is required"]})

    def work() -> tuple[int, bytes]:
        return 200, to_json(WORK[wanted.mode](wanted))

    return _once(request, work, key=f"scan:{key}", fingerprint=_fingerprint(body))


@require_POST
@in_words
def undo_scan(request: HttpRequest) -> HttpResponse:
    """The scan with this key is taken back; asked twice it is taken back once."""
    fields = Fields(read_object(request))
    fields.require("key")
    key = fields.text("key", max_length=KEY_LENGTH_MAX)
    fields.check()
    known = IdempotencyKey.objects.filter(user_id=request.user.pk or 0, key=f"scan:{key}", status=200).first()
    if known is None:
        raise NotFound(
            "This scan is not known here any more: reverse its operation in the ledger instead.", code="scan_unknown"
        )
    told = orjson.loads(known.body)
    if not _may(request, NEEDS[told["mode"]]):
        raise Forbidden("Your role may not do this at the scan station.")

    def work() -> tuple[int, bytes]:
        return 200, to_json(undo(told))

    return _once(request, work, key=f"undo:{key}", fingerprint=_fingerprint({"key": key}))


def _once(request: HttpRequest, work: Callable[[], tuple[int, bytes]], *, key: str, fingerprint: str) -> HttpResponse:
    done = once(work, user_id=request.user.pk or 0, key=key, fingerprint=fingerprint)
    headers = {"Idempotency-Replayed": "true"} if done.replayed else {}
    return HttpResponse(done.body, status=done.status, content_type="application/json", headers=headers)


def _fingerprint(body: dict[str, Any]) -> str:
    """Two requests with one key are the same scan when they say the same, whenever they were sent."""
    said = {name: value for name, value in body.items() if name != "sent_at"}
    return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _read(body: dict[str, Any]) -> tuple[Scan, str]:
    fields = Fields(body)
    fields.require("mode")
    mode = fields.choice("mode", WORK)
    code = body.get("code") or ""
    if not isinstance(code, str) or len(code) > CODE_LENGTH_MAX:
        fields.fault("code", f"must be text of at most {CODE_LENGTH_MAX} characters")
        code = ""
    quantity = fields.quantity("quantity")
    found = Scan(
        mode=mode or "",
        code=code,
        quantity=ONE if quantity is None else quantity,
        warehouse_id=fields.identifier("warehouse_id"),
        to_warehouse_id=fields.identifier("to_warehouse_id"),
        purchase_order_id=fields.identifier("purchase_order_id"),
        order_id=fields.identifier("order_id"),
        count_id=fields.identifier("count_id"),
        reason=fields.text("reason", max_length=REASON_LENGTH_MAX),
        takes_away=bool(fields.boolean("takes_away")),
        quantities=_quantities(fields),
    )
    key = fields.text("key", max_length=KEY_LENGTH_MAX)
    made_at = _made_at(fields)
    fields.check()
    return replace(found, made_at=made_at), key


def _quantities(fields: Fields) -> dict[int, Decimal]:
    found: dict[int, Decimal] = {}
    for index, row in enumerate(fields.objects("quantities", most=BASKET_MAX) if fields.has("quantities") else []):
        line = Fields(row, prefix=f"quantities.{index}.", faults=fields.faults)
        line.require("product_id", "quantity")
        product_id, quantity = line.identifier("product_id"), line.quantity("quantity")
        if product_id is not None and quantity is not None:
            found[product_id] = found.get(product_id, Decimal(0)) + quantity
    return found


def _made_at(fields: Fields) -> datetime | None:
    """When the scan was made, None for just now: both times are the scanner's, so that its clock may be wrong."""
    scanned, sent = fields.moment("scanned_at"), fields.moment("sent_at")
    if scanned is None or sent is None:
        return None
    age = sent - scanned
    if age > AGE_MAX:
        fields.fault("scanned_at", f"is more than {AGE_MAX.days} days ago: book it by hand, with its date")
    return datetime.now(UTC) - age if age > LATE_AFTER else None


@require_GET
def worker(request: HttpRequest) -> HttpResponse:
    """The service worker, from the station's own path, because that is as far as it may reach."""
    return HttpResponse(WORKER.read_text(), content_type="text/javascript", headers={"Cache-Control": "no-cache"})
