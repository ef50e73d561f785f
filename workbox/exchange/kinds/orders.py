"""Orders, one row per line: those the shop knows are only compared, new ones are placed under the file's reference."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import transaction

from inventory.errors import InsufficientStock
from inventory.models import Product
from orders.errors import IllegalTransition
from orders.models import Customer, Order, OrderLine
from orders.services import LINES_MAX, Item, cancel_order, place_order
from orders.states import OrderStatus
from workbox.core import walls
from workbox.core.numbers import has_places
from workbox.exchange.intake import ROWS_MAX
from workbox.exchange.kinds.base import Applied, Kind, Line, Planned, reading, require
from workbox.exchange.models import ImportRow

TAKEN = (OrderStatus.PENDING.value, OrderStatus.CONFIRMED.value)


class Named(NamedTuple):
    """How a row names its order: by our id, or by the file's reference (which may look like an id, `#12`).

    A row that does neither stands alone, by its `line`.
    """

    order_id: int | None
    reference: str
    line: int = 0


class Orders(Kind):
    """New orders are pending, or confirmed when the file says so; what was shipped long ago is `import_sales`' work."""

    aliases = {
        "order_id": ("id", "order", "order_number"),
        "external_reference": ("reference", "invoice", "invoice_number"),
        "status": (),
        "customer": ("customer_code", "customer_id"),
        "placed_at": ("date", "order_date", "created_at"),
        "sku": ("product_sku", "article", "item"),
        "quantity": ("qty",),
        "unit_price": ("price",),
        "notes": ("note", "comment"),
    }
    required = ("sku", "quantity")
    chunk_rows = ROWS_MAX  # an order's rows are judged together

    def plan(self, lines: Sequence[Line]) -> list[Planned]:
        skus = {line.raw.get("sku", "").strip() for line in lines}
        products = {row.sku: row for row in Product.objects.filter(sku__in=skus).select_related("unit")}
        codes = {one for line in lines if (one := line.raw.get("customer", "").strip())}
        customers = set(Customer.objects.filter(code__in=codes).values_list("code", flat=True))
        groups: dict[Named, list[Planned]] = {}
        for line in lines:
            named, planned = self._read(line, products, customers)
            groups.setdefault(named, []).append(planned)
        known = self._known(groups)
        kept, taken = self._lines_of(known.values()), self._taken(groups)
        for named, rows in groups.items():
            order = known.get(named)
            lines_kept = kept[order.pk] if order is not None else Counter[Any]()
            self._judge(rows, named, order, lines_kept, is_taken=named.reference in taken)
        return sorted((row for rows in groups.values() for row in rows), key=lambda row: row.line.number)

    def _read(self, line: Line, products: Mapping[str, Product], customers: set[str]) -> tuple[Named, Planned]:
        planned = Planned(line)
        fields = reading(line, planned)
        order_id, reference = fields.identifier("order_id"), fields.text("external_reference", max_length=64)
        planned.key = f"#{order_id}" if order_id is not None else reference
        require(planned, ("external_reference",), {"external_reference": planned.key})
        require(planned, self.required, line.raw)
        sku, quantity = fields.text("sku", max_length=64), fields.quantity("quantity")
        product = products.get(sku)
        if sku and product is None:
            planned.fault("sku", f"there is no product {sku}")
        if quantity is not None and (
            quantity <= 0 or not has_places(quantity, product.unit.decimal_places if product else 3)
        ):
            planned.fault("quantity", "must be above zero and no finer than the product's unit allows")
        price = fields.money("unit_price")
        if price is not None and price < 0:
            planned.fault("unit_price", "may not be negative")
        customer = fields.text("customer", max_length=64)
        if customer and customer not in customers:
            planned.fault("customer", f"there is no customer {customer}")
        moment = fields.moment("placed_at")
        values = {
            "sku": sku,
            "quantity": quantity,
            "unit_price": price,
            "customer": customer,
            "status": (fields.choice("status", OrderStatus.values) or OrderStatus.PENDING.value),
            "placed_at": moment.isoformat() if moment is not None else "",
            "notes": fields.text("notes", max_length=500),
        }
        planned.values = {name: value for name, value in values.items() if value not in (None, "")}
        if order_id is not None:
            return Named(order_id, ""), planned
        return Named(None, reference, 0 if reference else line.number), planned

    @staticmethod
    def _known(wanted: Iterable[Named]) -> dict[Named, Order]:
        """The orders that exist and are inside the asker's walls."""
        orders = walls.within(Order.objects.order_by("id"), "warehouse_id", or_none=True)
        by_id = [one.order_id for one in wanted if one.order_id is not None]
        by_reference = [one.reference for one in wanted if one.reference]
        found = {Named(order.pk, ""): order for order in orders.filter(id__in=by_id)}
        for order in orders.filter(external_reference__in=by_reference):
            found[Named(None, str(order.external_reference))] = order
        return found

    @staticmethod
    def _taken(wanted: Iterable[Named]) -> set[str]:
        """References that orders outside of the asker's walls have."""
        if walls.own() is None:
            return set()
        orders = Order.objects.filter(external_reference__in=[one.reference for one in wanted if one.reference])
        outside = orders.exclude(walls.inside("warehouse_id", or_none=True))
        return {str(one) for one in outside.values_list("external_reference", flat=True)}

    @staticmethod
    def _lines_of(orders: Iterable[Order]) -> dict[int, Counter[Any]]:
        """Order id → its lines as (SKU, quantity, unit price), how often each."""
        found: dict[int, Counter[Any]] = {order.pk: Counter() for order in orders}
        rows = OrderLine.objects.filter(order_id__in=list(found)).order_by()
        for order_id, *line in rows.values_list("order_id", "product__sku", "quantity", "unit_price"):
            found[order_id][tuple(line)] += 1
        return found

    def _judge(
        self, rows: Sequence[Planned], named: Named, order: Order | None, kept: Counter[Any], *, is_taken: bool
    ) -> None:
        """All rows of an order stand or fall together."""
        if order is not None:
            self._compare(rows, order, kept)
        else:
            self._check_new(rows, named, is_taken=is_taken)
        if any(row.errors for row in rows):
            for row in rows:
                if not row.errors:
                    row.fault("external_reference", "another line of this order is wrong")
        for row in rows:
            row.settle(is_new=order is None)

    @staticmethod
    def _compare(rows: Sequence[Planned], order: Order, known: Counter[Any]) -> None:
        given = Counter(
            (row.values.get("sku"), row.values.get("quantity"), row.values.get("unit_price")) for row in rows
        )
        differs = any(
            row.values.get("status", order.status) != order.status for row in rows if "status" in row.line.raw
        )
        for row in rows:
            row.errors.clear()
            row.values = {}
            if differs or not _equal(known, given):
                row.fault("order_id", f"{order} is known and says something else; an import changes no order")

    @staticmethod
    def _check_new(rows: Sequence[Planned], named: Named, *, is_taken: bool) -> None:
        first = rows[0]
        if named.order_id is not None:
            first.fault("order_id", "there is no such order; leave the id empty and give an external_reference")
        elif is_taken:
            first.fault("external_reference", "is in use already; give the order another one")
        if len(rows) > LINES_MAX:
            first.fault("external_reference", f"an order may have at most {LINES_MAX} lines")
        for row in rows:
            if row.values.get("status") not in TAKEN:
                row.fault("status", "a new order is pending or confirmed")
            for name in ("status", "customer", "placed_at", "notes"):
                if row.values.get(name) != first.values.get(name):
                    row.fault(name, f"differs from line {first.line.number} of the same order")

    def apply(self, rows: Sequence[Planned], *, reason: str, actor_id: int | None) -> Applied:
        products = dict(Product.objects.filter(sku__in={row.values["sku"] for row in rows}).values_list("sku", "id"))
        codes = {row.values.get("customer", "") for row in rows}
        customers = dict(Customer.objects.filter(code__in=codes).values_list("code", "id"))
        groups: dict[str, list[Planned]] = {}
        for row in rows:
            groups.setdefault(row.key, []).append(row)
        refused: dict[int, dict[str, list[str]]] = {}
        made = []
        for reference, lines in groups.items():
            try:
                with transaction.atomic():
                    made.append(_place(reference, lines, products, customers))
            except InsufficientStock as error:
                refused |= {row.line.number: {"quantity": [error.detail]} for row in lines}
        return Applied(order_ids=made, refused=refused)

    def take_back(self, rows: Sequence[ImportRow], result: Mapping[str, Any], *, reason: str) -> set[int]:
        ids = dict(
            Order.objects.filter(external_reference__in={row.key for row in rows}).values_list(
                "external_reference", "id"
            )
        )
        kept: set[str] = set()
        for reference, order_id in sorted(ids.items(), key=lambda pair: pair[1]):
            try:
                with transaction.atomic():
                    cancel_order(order_id, reason=reason)
            except IllegalTransition:
                kept.add(str(reference))
        return {row.number for row in rows if row.key in kept or row.key not in ids}


def _place(reference: str, rows: Sequence[Planned], products: Mapping[str, int], customers: Mapping[str, int]) -> int:
    head = rows[0].values
    return place_order(
        [Item(products[row.values["sku"]], row.values["quantity"], row.values.get("unit_price")) for row in rows],
        user_id=None,
        confirm=head["status"] == OrderStatus.CONFIRMED,
        channel=Order.Channel.IMPORT,
        customer_id=customers.get(head.get("customer", "")),
        placed_at=_moment(head.get("placed_at", "")),
        external_reference=reference,
        notes=head.get("notes", ""),
    ).id


def _moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _equal(known: Mapping[Any, int], given: Mapping[Any, int]) -> bool:
    """The same lines; a price that the file does not give is no difference."""
    if not any(price is None for _, _, price in given):
        return known == given

    def without_prices(lines: Mapping[Any, int]) -> Counter[tuple[str, Decimal]]:
        found: Counter[tuple[str, Decimal]] = Counter()
        for (sku, quantity, _), count in lines.items():
            found[sku, quantity] += count
        return found

    return without_prices(known) == without_prices(given)
