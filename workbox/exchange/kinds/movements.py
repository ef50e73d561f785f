"""Stock movements, appended to the ledger: those without an id are new, those with one are only compared."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from inventory.errors import InsufficientStock
from inventory.models import MovementType, Product, StockMovement, StockOperation, Warehouse
from inventory.services import ledger
from inventory.services.ledger import Movement, PastOperation, post_past, signed
from inventory.services.levels import hold
from workbox.core import walls
from workbox.core.numbers import QUANTITY_MAX, has_places
from workbox.exchange.kinds.base import Applied, Kind, Line, Planned, reading, require, same
from workbox.exchange.models import ImportRow

ZERO = Decimal(0)
_BY_TRANSFER = {MovementType.TRANSFER_IN.value, MovementType.TRANSFER_OUT.value}


class Movements(Kind):
    """One operation per moment, reference and reason."""

    aliases = {
        "id": ("movement_id",),
        "created_at": ("occurred_at", "date", "moved_at"),
        "sku": ("product_sku", "article"),
        "warehouse": ("warehouse_code", "location"),
        "movement_type": ("type",),
        "quantity": ("qty", "change"),
        "unit_cost": ("cost",),
        "reference_number": ("reference",),
        "reason": ("notes", "note"),
    }
    required = ("sku", "movement_type", "quantity")

    def __init__(self) -> None:
        self._places = {
            code.lower(): place
            for place, code in walls.within(Warehouse.objects.filter(is_active=True), "id").values_list("id", "code")
        }
        self._all = dict(Warehouse.objects.values_list("id", "code"))

    def hold(self, lines: Sequence[Line]) -> None:
        """The totals of the products."""
        skus = {line.raw.get("sku", "").strip() for line in lines}
        hold(Product.objects.filter(sku__in=skus).values_list("id", flat=True))

    def plan(self, lines: Sequence[Line]) -> list[Planned]:
        skus = {line.raw.get("sku", "").strip() for line in lines}
        products = {row.sku: row for row in Product.objects.filter(sku__in=skus).select_related("unit")}
        numbers = [
            int(one)
            for line in lines
            if (one := line.raw.get("id", "").strip()).isascii() and one.isdigit() and len(one) < 19
        ]
        known = {
            row.pk: row
            for row in walls.within(StockMovement.objects.filter(id__in=numbers), "warehouse_id").select_related(
                "product"
            )
        }
        return [self._planned(line, products, known) for line in lines]

    def _planned(self, line: Line, products: Mapping[str, Product], known: Mapping[int, StockMovement]) -> Planned:
        planned = Planned(line)
        fields = reading(line, planned)
        planned.key = sku = fields.text("sku", max_length=64)
        number = fields.identifier("id")
        quantity = fields.quantity("quantity")
        kind = fields.choice("movement_type", MovementType.values)
        require(planned, self.required, line.raw)
        if planned.errors or quantity is None or kind is None:
            return planned.settle(is_new=True)
        if number is not None:
            self._compare(planned, known.get(number), quantity, kind)
            return planned.settle(is_new=False)
        product = products.get(sku)
        values: dict[str, Any] = {
            "sku": sku,
            "warehouse": self._place(planned),
            "movement_type": kind,
            "quantity": signed(kind, quantity),
            "unit_cost": fields.money("unit_cost"),
            "reference_number": fields.text("reference_number", max_length=100),
            "reason": fields.text("reason", max_length=500),
            "created_at": moment.isoformat() if (moment := fields.moment("created_at")) is not None else "",
        }
        if product is None or not product.is_stocked:
            planned.fault("sku", f"there is no stocked product {sku}")
        elif not has_places(quantity, product.unit.decimal_places) or not ZERO < abs(quantity) <= QUANTITY_MAX:
            planned.fault("quantity", "is zero, too large, or finer than the product's unit allows")
        if kind in _BY_TRANSFER:
            planned.fault("movement_type", "comes only from transfers")
        if kind == MovementType.ADJUSTMENT and not values["reason"]:
            planned.fault("reason", "an adjustment needs a reason")
        if values["unit_cost"] is not None and values["unit_cost"] < 0:
            planned.fault("unit_cost", "may not be negative")
        planned.values = {name: value for name, value in values.items() if value not in (None, "")}
        return planned.settle(is_new=True)

    def _compare(self, planned: Planned, row: StockMovement | None, quantity: Any, kind: str) -> None:
        if row is None:
            planned.fault("id", "there is no such movement; leave the id empty to append one")
            return
        now = {"sku": row.product.sku, "movement_type": row.movement_type, "quantity": row.quantity}
        if any(
            not same(now[name], one)
            for name, one in (("sku", planned.key), ("movement_type", kind), ("quantity", quantity))
        ):
            planned.fault("id", "the ledger is never changed: this movement says something else")

    def _place(self, planned: Planned) -> str:
        name = planned.line.raw.get("warehouse", "").strip()
        if name and name.lower() not in self._places:
            planned.fault("warehouse", f"there is no open warehouse {name}")
        place = self._places.get(name.lower()) if name else ledger.default_warehouse().pk
        return self._all[place] if place is not None else name

    def apply(self, rows: Sequence[Planned], *, reason: str, actor_id: int | None) -> Applied:
        ids = dict(Product.objects.filter(sku__in={row.key for row in rows}).values_list("sku", "id"))
        refused: dict[int, dict[str, list[str]]] = {}
        left = list(rows)
        while left:
            try:
                with transaction.atomic():
                    return Applied(post_past(self._operations(left, ids, reason), actor_id=actor_id), refused=refused)
            except InsufficientStock as error:
                short = {one.sku for one in error.shortages}
                refused |= {
                    row.line.number: {"quantity": ["there is not so much to take"]} for row in left if row.key in short
                }
                left = [row for row in left if row.key not in short]
        return Applied(refused=refused)

    def _operations(self, rows: Sequence[Planned], ids: Mapping[str, int], reason: str) -> list[PastOperation]:
        groups: dict[tuple[str, str, str], list[Movement]] = {}
        for row in rows:
            values = row.values
            key = (values.get("created_at", ""), values.get("reference_number", ""), values.get("reason", ""))
            groups.setdefault(key, []).append(
                Movement(
                    ids[row.key],
                    self._places[values["warehouse"].lower()],
                    values["movement_type"],
                    values["quantity"],
                    values.get("unit_cost"),
                )
            )
        now = timezone.now()
        return [
            PastOperation(
                StockOperation.Kind.IMPORT,
                lines,
                datetime.fromisoformat(moment) if moment else now,
                why or reason,
                reference,
            )
            for (moment, reference, why), lines in groups.items()
        ]

    def take_back(self, rows: Sequence[ImportRow], result: Mapping[str, Any], *, reason: str) -> set[int]:
        for operation_id in reversed(result.get("operation_ids", ())):
            ledger.reverse(operation_id, reason=reason)
        return set()
