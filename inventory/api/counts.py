"""Stock counts over REST: open one, hand in what was found, close it."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from accounts.capabilities import LEDGER_READ, STOCK_POST
from inventory.api.naming import ALIASES, read_name, resolve
from inventory.api.schemas import (
    COUNT_STATUSES,
    CountLinesShape,
    CountOpenShape,
    CountRowShape,
    CountShape,
    VariancesShape,
)
from inventory.queries import COUNT_ORDER, CountFilter, count_rows, find_counts
from inventory.services import counts
from inventory.services.counts import LINES_MAX, Counted, CountedLine, Found
from workbox.core.api import ActionView, ApiView, Page, check_if_match, conditional, read_object, read_page
from workbox.core.numbers import to_json
from workbox.core.reading import Fields, Query, canonical
from workbox.core.schema import DATES, IDEMPOTENCY, IF_MATCH, action_schema, answered, asked, in_path, in_query

MODES = ("set", "add")
LINE_ALIASES = {**ALIASES, "counted_quantity": ("quantity",)}
LINE_EXAMPLE = {
    "product_id": 1,
    "sku": "LAPTOP-001",
    "name": "Laptop Computer",
    "counted_quantity": 47,
    "counted_at": "2026-01-15T10:42:00Z",
    "recorded_by": 2,
    "expected_quantity": 48,
    "variance": -1,
}
ROW_EXAMPLE = {
    "id": 1,
    "warehouse_id": 1,
    "warehouse_name": "Main store",
    "status": "closed",
    "is_blind": True,
    "notes": "Shelf A",
    "operation_id": 12,
    "opened_by": 2,
    "closed_by": 2,
    "opened_at": "2026-01-15T10:30:00Z",
    "closed_at": "2026-01-15T11:30:00Z",
    "updated_at": "2026-01-15T11:30:00Z",
    "line_count": 1,
}
COUNT_EXAMPLE = ROW_EXAMPLE | {"lines": [LINE_EXAMPLE]}
OPEN_EXAMPLE = COUNT_EXAMPLE | {
    "status": "open",
    "operation_id": None,
    "closed_by": None,
    "closed_at": None,
    "lines": [LINE_EXAMPLE | {"expected_quantity": None, "variance": None}],
}


def line_body(line: CountedLine) -> dict[str, Any]:
    """A line as every answer shows it."""
    return {
        "product_id": line.product_id,
        "sku": line.sku,
        "name": line.name,
        "counted_quantity": line.counted,
        "counted_at": line.counted_at,
        "recorded_by": line.recorded_by,
        "expected_quantity": line.expected,
        "variance": line.variance,
    }


def count_body(count: Counted) -> dict[str, Any]:
    """A count with its lines; what the books said stands in it once it is closed."""
    return {
        "id": count.id,
        "warehouse_id": count.warehouse_id,
        "warehouse_name": count.warehouse,
        "status": count.status,
        "is_blind": count.is_blind,
        "notes": count.notes,
        "operation_id": count.operation_id,
        "opened_by": count.opened_by,
        "closed_by": count.closed_by,
        "opened_at": count.opened_at,
        "closed_at": count.closed_at,
        "updated_at": count.updated_at,
        "line_count": len(count.lines),
        "lines": [line_body(line) for line in count.lines],
    }


class CountsView(ApiView):
    """All stock counts."""

    required_capabilities = {"GET": LEDGER_READ, "POST": STOCK_POST}
    pagination_class = Page

    @extend_schema(
        summary="List stock counts",
        parameters=[
            in_query("status", enum=COUNT_STATUSES, text="In any case."),
            in_query("warehouse_id", int),
            in_query("product_id", int),
            in_query("search", text="A count's number, or part of its notes or warehouse."),
            in_query("sort_by", enum=["opened_asc", "opened_desc"]),
            in_query("ordering", text=f"Of {', '.join(COUNT_ORDER)}; `-` in front reverses."),
            *DATES,
        ],
        responses={200: CountRowShape(many=True)},
        examples=[answered(ROW_EXAMPLE)],
    )
    def get(self, request: Request) -> HttpResponse:
        """List stock counts."""
        query = Query(request.GET)
        wanted = CountFilter(
            status=query.choice("status", COUNT_STATUSES),
            warehouse_id=query.identifier("warehouse_id"),
            product_id=query.identifier("product_id"),
            search=query.text("search", max_length=200),
            opened_from=query.moment("created_from_date"),
            opened_to=query.moment("created_to_date", end_of_day=True),
            order=query.order(COUNT_ORDER, default="-id"),
        )
        query.check()
        return conditional(request, to_json(read_page(request, find_counts(wanted), count_rows)))

    @extend_schema(
        summary="Open a stock count",
        description="The warehouse goes on working. `is_blind`: what the books say is shown only when it is closed.",
        parameters=[IDEMPOTENCY],
        request=CountOpenShape,
        responses={201: CountShape},
        examples=[
            asked({"warehouse_id": 1, "is_blind": True, "notes": "Shelf A"}),
            answered(OPEN_EXAMPLE | {"line_count": 0, "lines": []}, 201),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        """Open a stock count."""
        fields = Fields(read_object(request))
        fields.require("warehouse_id")
        warehouse_id, is_blind = fields.identifier("warehouse_id"), fields.boolean("is_blind", default=False)
        notes = fields.text("notes", max_length=500)
        fields.check()
        assert warehouse_id is not None  # noqa: S101  (checked)

        def work() -> tuple[int, Any]:
            return 201, count_body(counts.open_count(warehouse_id, is_blind=bool(is_blind), notes=notes))

        return self.idempotent(work)


class CountView(ApiView):
    """One stock count."""

    required_capabilities = {"GET": LEDGER_READ}

    @extend_schema(
        summary="Get a stock count",
        description="With its lines. `expected_quantity` and `variance` are null until it is closed.",
        parameters=[in_path("count_id")],
        responses={200: CountShape},
        examples=[answered(COUNT_EXAMPLE)],
    )
    def get(self, request: Request, count_id: str) -> HttpResponse:
        """Get a stock count."""
        return conditional(request, to_json(count_body(counts.read_count(int(count_id)))))


class VariancesView(ApiView):
    """How far the books are off."""

    required_capabilities = {"GET": LEDGER_READ}

    @extend_schema(
        summary="Get a stock count's variances",
        description=(
            "What a close would post now; once closed, what was posted. While a blind count is open: 409 for everybody."
        ),
        parameters=[in_path("count_id")],
        responses={200: VariancesShape},
        examples=[answered({"id": 1, "status": "open", "differences": 1, "lines": [LINE_EXAMPLE]})],
    )
    def get(self, request: Request, count_id: str) -> HttpResponse:
        """Get a stock count's variances."""
        count = counts.read_count(int(count_id))
        lines = counts.variances_of(count)
        body = {
            "id": count.id,
            "status": count.status,
            "differences": sum(bool(line.variance) for line in lines),
            "lines": [line_body(line) for line in lines],
        }
        return conditional(request, to_json(body))


class CountLinesView(ApiView):
    """What was found on the shelves."""

    required_capabilities = {"POST": STOCK_POST}

    @extend_schema(
        summary="Record what was found",
        description=(
            "One line, or many under `lines`. A product that was recorded before is replaced (`mode` `set`) or added "
            "to (`add`). `counted_at` is for scanners that were offline; without it the moment is now. A barcode of a "
            "pack means that many units."
        ),
        parameters=[in_path("count_id"), IDEMPOTENCY],
        request=CountLinesShape,
        responses={200: CountShape},
        examples=[
            asked({"lines": [{"barcode": "012345678905", "counted_quantity": 47, "mode": "set"}]}),
            answered(OPEN_EXAMPLE),
        ],
    )
    def post(self, request: Request, count_id: str) -> HttpResponse:
        """Record what was found."""
        found = read_found(Fields(canonical(read_object(request), LINE_ALIASES)))
        return self.idempotent(lambda: (200, count_body(counts.record(int(count_id), found()))))


def read_found(fields: Fields) -> Any:
    """The lines of a body as a function that looks their products up; raises Invalid."""
    if fields.sent("lines") and fields.has("counted_quantity"):
        fields.fault("lines", "send either lines or one line, not both")
    lines = [(fields, "")]
    if fields.sent("lines"):
        lines = []
        for index, row in enumerate(fields.objects("lines", most=LINES_MAX)):
            here = f"lines.{index}."
            lines.append((Fields(canonical(row, LINE_ALIASES, prefix=here), prefix=here, faults=fields.faults), here))
    usual = fields.choice("mode", MODES) or MODES[0]
    names, given = [], []
    for line, here in lines:
        line.require("counted_quantity")
        names.append(read_name(line, prefix=here))
        quantity = line.quantity("counted_quantity")
        if quantity is not None and quantity < 0:
            line.fault("counted_quantity", "may not be negative")
        given.append((quantity, line.moment("counted_at"), (line.choice("mode", MODES) or usual) == "add"))
    fields.check()

    def look_up() -> list[Found]:
        return [
            Found(product_id, quantity * pack, at, adds)
            for (product_id, pack), (quantity, at, adds) in zip(resolve(names), given, strict=True)
            if quantity is not None
        ]

    return look_up


class CountStepView(ActionView):
    """Base of a count's two ends; who comes second gets 409 with the current status."""

    required_capabilities = ActionView.needs(STOCK_POST)

    def act(self, request: Request, count_id: str) -> HttpResponse:
        """End the count."""
        read_object(request)
        number = int(count_id)

        def work() -> tuple[int, Any]:
            check_if_match(request, lambda: count_body(counts.read_count(number, lock=True)))
            return 200, count_body(self.take(number))

        return self.idempotent(work)

    def take(self, count_id: int) -> Counted:
        """The service."""
        raise NotImplementedError


@action_schema(
    summary="Close a stock count",
    description=(
        "Posts one adjustment per line that differs: counted − the ledger's balance when it was counted. What moved "
        "since is left alone. If less would be left than is promised: `insufficient_stock`, and the count stays open."
    ),
    parameters=[in_path("count_id"), IDEMPOTENCY, IF_MATCH],
    request=None,
    responses={200: CountShape},
    examples=[answered(COUNT_EXAMPLE)],
)
class CountCloseView(CountStepView):
    """The books follow what was found."""

    def take(self, count_id: int) -> Counted:
        """Close a stock count."""
        return counts.close_count(count_id)


@action_schema(
    summary="Cancel a stock count",
    description="Its lines stay to be read; nothing is posted.",
    parameters=[in_path("count_id"), IDEMPOTENCY, IF_MATCH],
    request=None,
    responses={200: CountShape},
    examples=[answered(OPEN_EXAMPLE | {"status": "cancelled", "closed_at": "2026-01-15T11:30:00Z"})],
)
class CountCancelView(CountStepView):
    """The count is off."""

    def take(self, count_id: int) -> Counted:
        """Cancel a stock count."""
        return counts.cancel_count(count_id)
