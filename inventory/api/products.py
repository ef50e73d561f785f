"""Products over REST, under `/products` and under the seeds' `/inventory`: the same rows, the same ids."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from accounts.capabilities import CATALOG_READ, CATALOG_WRITE, LEDGER_READ
from inventory.api import aliases
from inventory.api.moments import AS_OF, PAST, read_as_of
from inventory.api.schemas import LowStockShape, ProductChangeShape, ProductDetailShape, ProductShape, ProductWriteShape
from inventory.errors import ProductUnknown
from inventory.models import Product
from inventory.queries import (
    PRODUCT_ORDER,
    ProductFilter,
    count_low_stock_at,
    count_products,
    low_stock_ids_at,
    low_stock_products,
    low_stock_rows,
    low_stock_rows_at,
    product_detail,
    product_detail_at,
    product_ids,
    product_rows,
    product_rows_at,
)
from inventory.services import catalog
from inventory.services.ledger import lock_stock, set_quantity
from workbox.core.api import (
    COUNT_MAX,
    ActionView,
    ApiView,
    Page,
    bounded_count,
    check_if_match,
    conditional,
    etag_of,
    kept_answer,
    page_of,
    read_object,
    read_page,
)
from workbox.core.db import transact
from workbox.core.errors import RuleViolation
from workbox.core.events import CATALOG, STOCK
from workbox.core.numbers import to_json
from workbox.core.reading import Fields, Query, canonical
from workbox.core.schema import DATES, IDEMPOTENCY, IF_MATCH, action_schema, answered, asked, in_path, in_query

PRODUCT_EXAMPLE = {
    "id": 1,
    "sku": "LAPTOP-001",
    "name": "Laptop Computer",
    "description": "High-performance laptop",
    "category": "Electronics",
    "unit_of_measure": "piece",
    "price": 999.99,
    "unit_cost": 700,
    "stock_quantity": 48,
    "on_hand": 50,
    "reserved": 2,
    "reorder_threshold": 10,
    "reorder_quantity": 0,
    "is_stocked": True,
    "is_active": True,
    "created_at": "2026-01-15T10:30:00Z",
    "updated_at": "2026-01-15T10:30:00Z",
}
DETAIL_EXAMPLE = PRODUCT_EXAMPLE | {
    "stock_by_warehouse": [
        {
            "warehouse_id": 1,
            "warehouse_name": "Main store",
            "is_sellable": True,
            "quantity": 50,
            "reserved": 2,
            "available": 48,
            "in_transit": 0,
        }
    ],
    "in_transit": 0,
}
LIST_PARAMETERS = [
    in_query("search", text="Part of name, SKU, description or category, in any case."),
    in_query("category", text="Name of a category, in any case."),
    in_query("sort_by", enum=[f"{name}_{way}" for name in ("name", "stock", "created") for way in ("asc", "desc")]),
    in_query("ordering", text=f"Of {', '.join(PRODUCT_ORDER)}; `-` in front reverses."),
    in_query("is_active", bool),
    in_query("include_inactive", bool, text="Retired products too."),
    in_query("low_stock", bool, text="Only those at or below their reorder threshold (false: only the others)."),
    *DATES,
    AS_OF,
]


@dataclass(slots=True)
class Given:
    """A product's body as read: `values` are Product fields to set, the rest is about its stock."""

    values: dict[str, Any] = field(default_factory=dict)
    available: Decimal | None = None
    on_hand: Decimal | None = None
    compare_quantity: Decimal | None = None
    warehouse_id: int | None = None
    reason: str = ""

    @property
    def sets_stock(self) -> bool:
        """True when the body names a stock number."""
        return self.available is not None or self.on_hand is not None


def read_product(body: dict[str, Any], *, creating: bool) -> Given:
    """A body in any of the seeds' spellings; raises Invalid (shape) or RuleViolation (negative stock, blank name)."""
    fields = Fields(canonical(body, aliases.PRODUCT))
    given = Given(
        available=fields.quantity("stock_quantity"),
        on_hand=fields.quantity("on_hand"),
        compare_quantity=fields.quantity("compare_quantity"),
        warehouse_id=fields.identifier("warehouse_id"),
        reason=fields.text("reason", max_length=500),
    )
    if given.available is not None and given.on_hand is not None:
        fields.fault("on_hand", "send either stock_quantity (available) or on_hand (physical), not both")
    _read_words(fields, given, creating=creating)
    _read_numbers(fields, given)
    if creating:
        fields.require("name")
        if not fields.has("price") and not fields.has("unit_cost"):
            fields.fault("price", "this field is required (or unit_cost)")
    elif given.values.get("sku") == "":
        fields.fault("sku", "may not be blank")
    fields.check()
    _check_rules(given)
    return given


def _read_words(fields: Fields, given: Given, *, creating: bool) -> None:
    for name, length in (("name", 200), ("sku", 64), ("description", 4000)):
        if fields.has(name):
            given.values[name] = fields.text(name, max_length=length)
    if fields.sent("category"):
        given.values["category"] = fields.text("category", max_length=100)
    if fields.has("unit_of_measure"):
        given.values["unit"] = fields.text("unit_of_measure", max_length=20)
    for name in ("is_stocked",) if creating else ("is_stocked", "is_active"):
        if fields.has(name):
            given.values[name] = fields.boolean(name)


def _read_numbers(fields: Fields, given: Given) -> None:
    if fields.has("price"):
        given.values["price"] = fields.money("price")
    if fields.sent("unit_cost"):
        given.values["unit_cost"] = fields.money("unit_cost")
    for name in ("reorder_threshold", "reorder_quantity"):
        if fields.has(name):
            given.values[name] = fields.quantity(name)
    for name in ("unit_cost", "reorder_threshold", "reorder_quantity"):
        number = given.values.get(name)
        if number is not None and number < 0:
            fields.fault(name, "may not be negative")


def _check_rules(given: Given) -> None:
    if given.values.get("name") == "":
        raise RuleViolation("A product needs a name.", code="blank_name", fields={"name": ["may not be blank"]})
    for name, number in (("stock_quantity", given.available), ("on_hand", given.on_hand)):
        if number is not None and number < 0:
            raise RuleViolation(
                "Stock may not be negative.", code="negative_stock", fields={name: ["may not be negative"]}
            )


def shown(product_id: int, moment: datetime | None = None) -> dict[str, Any]:
    """The product as every answer shows it (as of a past moment, if told); raises ProductUnknown."""
    found = product_detail(product_id) if moment is None else product_detail_at(product_id, moment)
    if found is None:
        raise ProductUnknown(f"There is no product {product_id}.")
    return found if moment is None else found | {"as_of": moment}


def seen_by(viewer: Any, product: dict[str, Any]) -> dict[str, Any]:
    """The product as this asker may see it: what it cost us is for those who may read the ledger."""
    if not viewer.can(LEDGER_READ):
        product.pop("unit_cost", None)
    return product


def _page(request: HttpRequest, wanted: ProductFilter, moment: datetime | None) -> dict[str, Any]:
    def rows(ids: Sequence[int]) -> list[dict[str, Any]]:
        found = product_rows(ids) if moment is None else product_rows_at(ids, moment)
        return [seen_by(request.user, one) for one in found]

    body = page_of(
        request,
        lambda offset, limit: product_ids(wanted, offset=offset, limit=limit),
        lambda: count_products(wanted, bounded_count),
        rows,
    )
    return body if moment is None else body | {"as_of": moment}


class ProductsView(ApiView):
    """All products."""

    required_capabilities = {"GET": CATALOG_READ, "POST": CATALOG_WRITE}
    pagination_class = Page

    @extend_schema(
        summary="List products",
        description=f"Retired products are left out unless `include_inactive` or `is_active` says otherwise; "
        f"`unit_cost` is shown to staff only. {PAST}",
        parameters=LIST_PARAMETERS,
        responses={200: ProductShape(many=True)},
        examples=[answered(PRODUCT_EXAMPLE)],
    )
    def get(self, request: Request) -> HttpResponse:
        """List products."""
        query = Query(request.GET)
        active = None if query.boolean("include_inactive", default=False) else True
        wanted = ProductFilter(
            search=query.text("search", max_length=200),
            category=query.text("category", max_length=100),
            active=query.boolean("is_active", default=active),
            low_stock=query.boolean("low_stock"),
            created_from=query.moment("created_from_date"),
            created_to=query.moment("created_to_date", end_of_day=True),
            order=query.order(PRODUCT_ORDER, default="-id"),
        )
        moment = read_as_of(query)
        if moment is not None:
            if wanted.low_stock is not None:
                query.fault("low_stock", "is about now; of the past ask inventory/low-stock?as_of=")
            if any("stock" in column for column in wanted.order):
                query.fault("as_of", "cannot be sorted by stock, which is about now")
        query.check()
        return kept_answer(request, lambda: _page(request, wanted, moment), topics=(CATALOG, STOCK), right=LEDGER_READ)

    @extend_schema(
        summary="Create a product",
        description=(
            "`stock_quantity` (also `current_stock`, `quantity`) is opening stock, in `warehouse_id` or the default "
            "warehouse. Without a SKU one is made from the name, which must then be new. Without a price the unit "
            "cost is taken. An `id` in the body is ignored."
        ),
        parameters=[IDEMPOTENCY],
        request=ProductWriteShape,
        responses={201: ProductDetailShape},
        examples=[
            asked(
                {
                    "name": "Laptop Computer",
                    "sku": "LAPTOP-001",
                    "description": "High-performance laptop",
                    "unit_price": 999.99,
                    "unit_of_measure": "piece",
                    "category": "Electronics",
                }
            ),
            answered(DETAIL_EXAMPLE, 201),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        """Create a product."""
        given = read_product(read_object(request), creating=True)
        values = dict(given.values)
        values.setdefault("price", values.get("unit_cost"))
        stock = given.on_hand if given.on_hand is not None else given.available
        opening = catalog.OpeningStock(stock, given.warehouse_id) if stock else None
        sku = values.pop("sku", "") or None

        def work() -> tuple[int, Any]:
            return 201, shown(catalog.create_product(sku=sku, opening=opening, **values).pk)

        return self.idempotent(work)


class ProductView(ApiView):
    """One product."""

    required_capabilities = {"GET": CATALOG_READ, "PUT": CATALOG_WRITE, "PATCH": CATALOG_WRITE, "DELETE": CATALOG_WRITE}

    @extend_schema(
        summary="Get a product",
        description=f"With its stock in each warehouse; `unit_cost` for staff only. {PAST}",
        parameters=[in_path("product_id"), AS_OF],
        responses={200: ProductDetailShape},
        examples=[answered(DETAIL_EXAMPLE)],
    )
    def get(self, request: Request, product_id: str) -> HttpResponse:
        """Get a product."""
        query = Query(request.GET)
        moment = read_as_of(query)
        query.check()
        return kept_answer(
            request,
            lambda: seen_by(request.user, shown(int(product_id), moment)),
            topics=(CATALOG, STOCK),
            right=LEDGER_READ,
        )

    @extend_schema(
        summary="Change a product (partial body allowed)",
        description=(
            "Only what is sent changes. A stock number posts the difference as an adjustment; `If-Match` or "
            "`compare_quantity` makes it refuse (412) when the number moved meanwhile."
        ),
        parameters=[in_path("product_id"), IF_MATCH],
        request=ProductChangeShape,
        responses={200: ProductDetailShape},
        examples=[asked({"current_stock": 150, "reorder_threshold": 25}), answered(DETAIL_EXAMPLE)],
    )
    def put(self, request: Request, product_id: str) -> HttpResponse:
        """Change a product."""
        return self._change(request, int(product_id))

    @extend_schema(
        summary="Change a product",
        description="The same as PUT.",
        parameters=[in_path("product_id"), IF_MATCH],
        request=ProductChangeShape,
        responses={200: ProductDetailShape},
        examples=[asked({"name": "Updated Product Name", "unit_price": 1299.99}), answered(DETAIL_EXAMPLE)],
    )
    def patch(self, request: Request, product_id: str) -> HttpResponse:
        """Change a product."""
        return self._change(request, int(product_id))

    def _change(self, request: Request, product_id: int) -> HttpResponse:
        given = read_product(read_object(request), creating=False)

        def work() -> tuple[int, Any]:
            lock_stock(product_id)
            check_if_match(request, lambda: shown(product_id))
            if given.values:
                catalog.update_product(product_id, changes=given.values)
            if given.sets_stock:
                set_quantity(
                    product_id,
                    available=given.available,
                    on_hand=given.on_hand,
                    compare_quantity=given.compare_quantity,
                    warehouse_id=given.warehouse_id,
                    reason=given.reason,
                )
            return 200, shown(product_id)

        response = self.idempotent(work)
        response.headers["ETag"] = etag_of(response.content)
        return response

    @extend_schema(
        summary="Retire a product",
        description="It is no longer listed or sold; its history and stock stay, and it can be restored.",
        parameters=[in_path("product_id"), IF_MATCH],
        responses={204: None},
    )
    def delete(self, request: Request, product_id: str) -> HttpResponse:
        """Retire a product."""

        def work() -> None:
            lock_stock(int(product_id))
            check_if_match(request, lambda: shown(int(product_id)))
            if Product.objects.filter(id=product_id, is_active=True).exists():
                catalog.retire_product(int(product_id))

        transact(work)
        return HttpResponse(status=204)


@action_schema(
    summary="Restore a retired product",
    parameters=[in_path("product_id"), IDEMPOTENCY],
    request=None,
    responses={200: ProductDetailShape},
    examples=[answered(DETAIL_EXAMPLE)],
)
class ProductRestoreView(ActionView):
    """A retired product comes back."""

    required_capabilities = ActionView.needs(CATALOG_WRITE)

    def act(self, request: Request, product_id: str) -> HttpResponse:
        """Restore a retired product."""
        read_object(request)  # nothing is asked of it but to be readable

        def work() -> tuple[int, Any]:
            catalog.restore_product(int(product_id))
            return 200, shown(int(product_id))

        return self.idempotent(work)


class LowStockView(ApiView):
    """What has to be bought again."""

    required_capabilities = {"GET": CATALOG_READ}
    pagination_class = Page

    @extend_schema(
        summary="List products low on stock",
        description=(
            "Products on sale whose available stock is at or below their reorder threshold, emptiest first. With "
            "`as_of`: by what sellable warehouses had on hand then, against today's thresholds."
        ),
        parameters=[AS_OF],
        responses={200: LowStockShape(many=True)},
        examples=[
            answered(
                {
                    "product_id": 1,
                    "product_name": "Widget A",
                    "sku": "WDG-001",
                    "category": "Electronics",
                    "current_quantity": 4,
                    "threshold": 20,
                    "reorder_quantity": 100,
                }
            )
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        """List products low on stock."""
        query = Query(request.GET)
        moment = read_as_of(query)
        query.check()
        if moment is None:
            return conditional(request, to_json(read_page(request, low_stock_products(), low_stock_rows)))
        body = page_of(
            request,
            lambda offset, limit: low_stock_ids_at(moment, offset=offset, limit=limit),
            lambda: count_low_stock_at(moment, most=COUNT_MAX),
            lambda ids: low_stock_rows_at(ids, moment),
        )
        return conditional(request, to_json(body | {"as_of": moment}))
