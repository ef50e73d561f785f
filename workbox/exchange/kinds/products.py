"""Products by SKU: their own fields, and what is on hand per warehouse as one stock operation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet

from inventory.models import MovementType, Product, StockLevel, StockOperation, UnitOfMeasure, Warehouse
from inventory.services import ledger
from inventory.services.catalog import category_named, create_products, unit_coded, update_products
from inventory.services.ledger import Movement
from inventory.services.levels import hold
from workbox.core import walls
from workbox.core.numbers import has_places, plain
from workbox.core.reading import Fields
from workbox.exchange.kinds.base import CHANGED, NEW, Applied, Kind, Line, Planned, reading, require, same
from workbox.exchange.models import ImportRow
from workbox.exchange.tables import ON_HAND, warehouse_codes

CHUNK = 500
ZERO = Decimal(0)
OWN = (
    "name", "description", "category", "unit_of_measure", "price", "unit_cost", "reorder_threshold", "reorder_quantity",
    "is_stocked", "is_active",
)  # fmt: skip
LENGTHS = {"name": 200, "description": 4000, "category": 100, "unit_of_measure": 20}
_SIGNED = ("unit_cost", "reorder_threshold", "reorder_quantity", "stock_quantity")
_RELATED = {"category": "category__name", "unit_of_measure": "unit__code"}
_OWN_COLUMNS = tuple(_RELATED.get(name, name) for name in OWN)


@dataclass(frozen=True, slots=True)
class _Known:
    """A product as it is now: its own fields by our names, and what is available of it."""

    id: int
    available: Decimal
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Level:
    """What is in one place."""

    on_hand: Decimal
    reserved: Decimal

    @property
    def available(self) -> Decimal:
        return self.on_hand - self.reserved


class Products(Kind):
    """`on_hand CODE` is physically in that warehouse; `stock_quantity` is what shall be available (in `warehouse`)."""

    aliases = {
        "sku": ("product_sku", "article", "article_number", "item_number", "code"),
        "name": ("product_name", "product", "title"),
        "description": (),
        "category": ("category_name", "group"),
        "unit_of_measure": ("unit", "uom"),
        "price": ("unit_price", "sales_price", "selling_price"),
        "unit_cost": ("cost", "cost_price", "purchase_price"),
        "reorder_threshold": ("low_stock_threshold", "threshold", "reorder_point"),
        "reorder_quantity": (),
        "is_stocked": ("stocked",),
        "is_active": ("active",),
        "stock_quantity": ("current_stock", "quantity", "stock", "available"),
        "warehouse": ("warehouse_code", "warehouse_name", "location"),
    }
    required = ("sku",)

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}
        self._places = {code: place for place, code in warehouse_codes()}
        self._closed = set(Warehouse.objects.filter(is_active=False).values_list("id", flat=True))
        self._sells = set(Warehouse.objects.filter(is_sellable=True).values_list("id", flat=True))
        self._units = {
            code.lower(): (code, places) for code, places in UnitOfMeasure.objects.values_list("code", "decimal_places")
        }
        self._default: int | None = None

    def names(self) -> list[str]:
        """With one column per warehouse."""
        return [*self.aliases, *(f"{ON_HAND}{code}" for code in self._places)]

    def hold(self, lines: Sequence[Line]) -> None:
        """The totals of the products that are known."""
        skus = {line.raw.get("sku", "").strip() for line in lines}
        hold(Product.objects.filter(sku__in=skus).values_list("id", flat=True))

    # ---- reading ----
    def plan(self, lines: Sequence[Line]) -> list[Planned]:
        skus = {line.raw.get("sku", "").strip() for line in lines}
        known = _known(Product.objects.filter(sku__in=skus))
        levels: dict[int, dict[int, _Level]] = {}
        there = StockLevel.objects.filter(product_id__in=[product.id for product in known.values()])
        for product_id, place, *held in there.values_list("product_id", "warehouse_id", "on_hand", "reserved"):
            levels.setdefault(product_id, {})[place] = _Level(*held)
        return [self._planned(line, known, levels) for line in lines]

    def _planned(self, line: Line, known: Mapping[str, _Known], levels: Mapping[int, Mapping[int, _Level]]) -> Planned:
        planned = Planned(line)
        fields = reading(line, planned)
        planned.key = sku = fields.text("sku", max_length=64)
        require(planned, ("sku",), {"sku": sku})
        if sku and self._seen.setdefault(sku, line.number) != line.number:
            planned.fault("sku", f"line {self._seen[sku]} names this SKU already")
        wanted = _read(line, fields)
        product = known.get(sku)
        now = product.fields if product is not None else {}
        self._check(planned, wanted, now)
        if not planned.errors:
            planned.compare(wanted, now)
            held = levels.get(product.id, {}) if product is not None else {}
            self._plan_stock(planned, product, held, wanted, now)
        return planned.settle(is_new=product is None)

    def _check(self, planned: Planned, wanted: dict[str, Any], now: Mapping[str, Any]) -> None:
        if not now:
            wanted.setdefault("price", wanted.get("unit_cost"))
            wanted.setdefault("unit_of_measure", "piece")
            require(planned, ("name", "price"), wanted | {"price": wanted["price"] is not None})
        unit = wanted.get("unit_of_measure")
        if unit and unit.lower() not in self._units and unit.lower() != "piece":
            planned.fault("unit_of_measure", f"there is no unit {unit}")
        elif unit:
            wanted["unit_of_measure"] = self._units.get(unit.lower(), ("piece", 0))[0]
        if "category" in wanted and same(wanted["category"].lower(), str(now.get("category") or "").lower()):
            wanted["category"] = now.get("category")
        for name in _SIGNED:
            if (wanted.get(name) or ZERO) < 0:
                planned.fault(name, "may not be negative")
        price, stocked = wanted.get("price"), wanted.get("is_stocked", now.get("is_stocked", True))
        if price is not None and not same(price, now.get("price")) and (price < 0 or (stocked and price == 0)):
            planned.fault("price", "must be above zero")

    def _plan_stock(
        self,
        planned: Planned,
        product: _Known | None,
        levels: Mapping[int, _Level],
        wanted: Mapping[str, Any],
        now: Mapping[str, Any],
    ) -> None:
        raw, fields = planned.line.raw, reading(planned.line, planned)
        columns = [name for name in raw if name.startswith(ON_HAND)]
        if not columns and "stock_quantity" not in raw:
            return
        targets = {self._places[name.removeprefix(ON_HAND)]: (name, fields.quantity(name)) for name in columns}
        if "stock_quantity" in raw:
            targets |= self._targets_of_total(planned, product, levels)
        unit = self._units.get(str(wanted.get("unit_of_measure") or now.get("unit_of_measure")).lower(), ("piece", 0))
        for place, (name, target) in targets.items():
            level = levels.get(place)
            current = level.on_hand if level is not None else ZERO
            if target is None or target == current:
                continue
            if target < 0:
                planned.fault(name, "may not be negative")
            elif level is not None and target < level.reserved:
                planned.fault(name, f"{plain(level.reserved)} of it are promised to orders")
            elif not has_places(target, unit[1]):
                planned.fault(
                    name, f"may have at most {unit[1]} decimal places" if unit[1] else "must be a whole number"
                )
            elif place in self._closed:
                planned.fault(name, "this warehouse is closed")
            elif not wanted.get("is_stocked", now.get("is_stocked", True)):
                planned.fault(name, "no stock is kept of a charge")
            else:
                code = next(code for code, one in self._places.items() if one == place)
                planned.values[f"{ON_HAND}{code}"] = target
                planned.before[f"{ON_HAND}{code}"] = current if level is not None else None

    def _targets_of_total(
        self, planned: Planned, product: _Known | None, levels: Mapping[int, _Level]
    ) -> dict[int, tuple[str, Decimal | None]]:
        """What is on hand when so much shall be available: more goes to one place, less comes from many."""
        raw, fields = planned.line.raw, reading(planned.line, planned)
        target = fields.quantity("stock_quantity")
        if target is None:
            return {}
        if target < 0:
            planned.fault("stock_quantity", "may not be negative")
            return {}
        is_of_others = "warehouse" not in raw and walls.own() is not None
        if is_of_others:
            planned.fault("stock_quantity", "is what all warehouses have and you are bound to some: name the warehouse")
        place = None if is_of_others else self._named_place(planned)
        if place is None:
            return {}
        if "warehouse" in raw:
            level = levels.get(place)
            return {place: ("stock_quantity", target + (level.reserved if level is not None else ZERO))}
        more = target - (product.available if product is not None else ZERO)
        if more >= 0:
            current = levels[place].on_hand if place in levels else ZERO
            return {place: ("stock_quantity", current + more)}
        found: dict[int, tuple[str, Decimal | None]] = {}
        for one in self._places.values():
            if one in levels and one in self._sells:
                taken = min(levels[one].available, -more)
                more += taken
                found[one] = ("stock_quantity", levels[one].on_hand - taken)
        return found

    def _named_place(self, planned: Planned) -> int | None:
        name = planned.line.raw.get("warehouse", "").strip()
        if not name:
            if self._default is None:
                self._default = ledger.default_warehouse().pk
            return self._default
        found = next((place for code, place in self._places.items() if code.lower() == name.lower()), None)
        if found is None:
            planned.fault("warehouse", f"there is no warehouse {name}")
        return found

    # ---- writing ----
    def apply(self, rows: Sequence[Planned], *, reason: str, actor_id: int | None) -> Applied:
        columns = _Columns()
        fresh = [row for row in rows if row.status == NEW]
        for start in range(0, len(fresh), CHUNK):
            create_products([Product(sku=row.key, **columns.of(row.values)) for row in fresh[start : start + CHUNK]])
        ids = _ids(row.key for row in rows)
        changes = {ids[row.key]: columns.of(row.values) for row in rows if row.status == CHANGED}
        update_products({one: values for one, values in changes.items() if values})
        costs = dict(Product.objects.filter(id__in=ids.values()).values_list("id", "unit_cost"))
        lines = [
            Movement(
                ids[row.key],
                self._places[name.removeprefix(ON_HAND)],
                MovementType.PURCHASE if row.status == NEW else MovementType.ADJUSTMENT,
                value - (row.before.get(name) or ZERO),
                costs[ids[row.key]] if row.status == NEW else None,
            )
            for row in rows
            for name, value in row.values.items()
            if name.startswith(ON_HAND)
        ]
        if not lines:
            return Applied()
        lines.sort(key=lambda line: (line.product_id, line.warehouse_id))
        posted = ledger.post(lines, kind=StockOperation.Kind.IMPORT, reason=reason, actor_id=actor_id)
        return Applied([posted.operation_id])

    def take_back(self, rows: Sequence[ImportRow], result: Mapping[str, Any], *, reason: str) -> set[int]:
        ids = _ids(row.key for row in rows)
        hold(ids.values())
        known = _known(Product.objects.filter(id__in=ids.values()))
        now = {sku: product.fields for sku, product in known.items()}
        changes: dict[int, Mapping[str, Any]] = {}
        columns = _Columns()
        kept: set[int] = set()
        for row in rows:
            own = {name: _typed(name, value) for name, value in row.values.items() if name in OWN}
            if row.key not in now or any(not same(now[row.key][name], value) for name, value in own.items()):
                kept.add(row.number)
            elif row.status == NEW:
                changes[ids[row.key]] = {"is_active": False}
            elif own:
                changes[ids[row.key]] = columns.of({name: _typed(name, row.before[name]) for name in own})
        update_products(changes)
        for operation_id in result.get("operation_ids", ()):
            ledger.reverse(operation_id, reason=reason)
        return kept


def _read(line: Line, fields: Fields) -> dict[str, Any]:
    """The product's own fields that the row gives."""
    wanted: dict[str, Any] = {}
    for name in OWN:
        if name not in line.raw:
            continue
        if name in LENGTHS:
            wanted[name] = fields.text(name, max_length=LENGTHS[name])
        elif name in {"price", "unit_cost"}:
            wanted[name] = fields.money(name)
        elif name in _SIGNED:
            wanted[name] = fields.quantity(name)
        else:
            wanted[name] = fields.boolean(name)
    return wanted


def _ids(skus: Any) -> dict[str, int]:
    return dict(Product.objects.filter(sku__in=list(skus)).values_list("sku", "id"))


def _known(products: QuerySet[Product]) -> dict[str, _Known]:
    """By SKU."""
    rows = products.values_list("sku", "id", "stock__available", *_OWN_COLUMNS)
    return {row[0]: _Known(row[1], row[2], dict(zip(OWN, row[3:], strict=True))) for row in rows}


def _typed(name: str, value: Any) -> Any:
    return Decimal(value) if isinstance(value, str) and name in {"price", "unit_cost", *_SIGNED} else value


class _Columns:
    """Turns our fields into columns of the product's row: category and unit by id, each looked up once."""

    def __init__(self) -> None:
        self._categories: dict[str | None, int | None] = {}
        self._units: dict[str, int] = {}

    def of(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The columns of these values."""
        found = {name: value for name, value in values.items() if name in OWN}
        if "category" in found:
            name = found.pop("category")
            if name not in self._categories:
                category = category_named(name)
                self._categories[name] = category.pk if category is not None else None
            found["category_id"] = self._categories[name]
        if "unit_of_measure" in found:
            code = found.pop("unit_of_measure")
            if code not in self._units:
                self._units[code] = unit_coded(code).pk
            found["unit_id"] = self._units[code]
        return found
