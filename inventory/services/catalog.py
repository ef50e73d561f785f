"""Making, editing, retiring and restoring products, always together with their stock row and the news of it."""

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import DecimalField
from django.db.models.constants import OnConflict

from inventory.errors import ProductUnknown, WarehouseUnknown
from inventory.events import PlaceAside, StockAside, inventory_update, product_updated
from inventory.models import (
    Category,
    MovementType,
    Product,
    ProductStock,
    StockLevel,
    StockOperation,
    Transfer,
    TransferLine,
    UnitOfMeasure,
    Warehouse,
)
from inventory.services.ledger import Movement, default_warehouse, lock_stock, post
from inventory.services.levels import Shelf, ensure_levels, hold, make_totals, read_shelf
from workbox.core import changes as history
from workbox.core import events, walls
from workbox.core.db import execute, in_parts, insert_rows, marks, transactional, utc_text
from workbox.core.errors import Conflict, Invalid, RuleViolation

DEFAULT_UNIT = "piece"
SKU_STEM_LENGTH = 24
PRODUCTS_PER_STATEMENT = 500
_COLUMNS = tuple(str(field.column) for field in Product._meta.concrete_fields)  # the id first
_CLOCKS = ("created_at", "updated_at")
_DECIMALS = {str(field.column): field for field in Product._meta.concrete_fields if isinstance(field, DecimalField)}
_FLAGS = frozenset({"is_active", "is_stocked"})
# Stock of p, on a shelf or on its way, in parts finer than so many places (SQLite's numbers are binary: a margin).
_FINER = (
    "EXISTS (SELECT 1 FROM inventory_stocklevel l WHERE l.product_id = p.id"
    " AND (ABS(l.on_hand - ROUND(l.on_hand, %s)) > 0.0004 OR ABS(l.reserved - ROUND(l.reserved, %s)) > 0.0004))"
    " OR EXISTS (SELECT 1 FROM inventory_transferline x JOIN inventory_transfer t ON t.id = x.transfer_id"
    " WHERE x.product_id = p.id AND t.status = 'in_transit' AND ABS(x.quantity - ROUND(x.quantity, %s)) > 0.0004)"
)
EDITABLE = frozenset(
    {
        "sku",
        "name",
        "description",
        "price",
        "unit_cost",
        "reorder_threshold",
        "reorder_quantity",
        "is_active",
        "is_stocked",
    }
)


@dataclass(frozen=True, slots=True)
class OpeningStock:
    """What is there when a product is first recorded."""

    quantity: Decimal
    warehouse_id: int | None = None
    unit_cost: Decimal | None = None


def category_named(name: str | None) -> Category | None:
    """The category of that name, made when it is new; None for an empty name."""
    name = (name or "").strip()
    if not name:
        return None
    found = Category.objects.filter(name__iexact=name).first()
    return found or Category.objects.get_or_create(name=name)[0]


def unit_coded(code: str | None) -> UnitOfMeasure:
    """The unit of measure with that code (default `piece`); raises Invalid when there is none."""
    code = (code or DEFAULT_UNIT).strip()
    found = UnitOfMeasure.objects.filter(code__iexact=code).first()
    if found is None:
        if code.lower() == DEFAULT_UNIT:
            return UnitOfMeasure.objects.get_or_create(code=DEFAULT_UNIT, defaults={"name": "Piece"})[0]
        known = ", ".join(UnitOfMeasure.objects.values_list("code", flat=True))
        raise Invalid(
            f"There is no unit of measure “{code}”; known: {known}.", fields={"unit_of_measure": ["unknown unit"]}
        )
    return found


def sku_from(name: str) -> str:
    """A new SKU made from a product's name: `DESK-LAMP-7F3A2C`."""
    stem = re.sub(r"[^A-Z0-9]+", "-", name.upper()).strip("-")[:SKU_STEM_LENGTH].strip("-") or "ITEM"
    return f"{stem}-{secrets.token_hex(3).upper()}"


@transactional
def create_product(
    *,
    name: str,
    sku: str | None = None,
    category: str | None = None,
    unit: str | None = None,
    opening: OpeningStock | None = None,
    actor_id: int | None = None,
    **values: Any,
) -> Product:
    """A new product with its stock row, its opening movement (if any) and the news of both.

    Without a SKU one is made from the name, and a name in use is refused then (RuleViolation): a help against double
    entries and no promise, for of two at the same moment neither sees the other. A SKU in use is always refused.
    `values` are further Product fields; goods need a price above zero.
    """
    check_price(values.get("price", Product().price), is_stocked=values.get("is_stocked", True))
    if sku is None and Product.objects.filter(name__iexact=name).exists():
        raise RuleViolation(
            f"A product named “{name}” exists already; give this one a SKU if it is a different product.",
            code="duplicate_name",
            fields={"name": ["already in use"]},
        )
    product = Product(
        name=name, sku=sku or sku_from(name), category=category_named(category), unit=unit_coded(unit), **_known(values)
    )
    _save(product)
    ProductStock.objects.create(product=product)
    _announce_product(product)
    if opening is not None and opening.quantity:
        if opening.quantity < 0:
            raise Invalid("Stock may not be negative.", fields={"stock_quantity": ["may not be negative"]})
        warehouse_id = opening.warehouse_id or default_warehouse().pk
        line = Movement(
            product.pk, warehouse_id, MovementType.PURCHASE, opening.quantity, opening.unit_cost or product.unit_cost
        )
        post([line], kind=StockOperation.Kind.OPENING, reason="Opening stock", actor_id=actor_id)
    return product


@transactional
def create_products(products: Sequence[Product]) -> dict[str, int]:
    """Many new products (unsaved, with their SKUs) in a few statements, each with its stock row and the news of both.

    A product without a unit gets the default one. Returns SKU → id. Raises IntegrityError when a SKU is in use.
    """
    unit = unit_coded(None)
    for product in products:
        product.unit_id = product.unit_id or unit.pk
    now = utc_text()
    rows = [
        [now if name in _CLOCKS else _as_stored(name, getattr(product, name)) for name in _COLUMNS[1:]]
        for product in products
    ]
    for product, product_id in zip(products, insert_rows(Product._meta.db_table, _COLUMNS[1:], rows), strict=True):
        product.pk = product_id
    make_totals([product.pk for product in products])
    nothing = ProductStock()
    for some in in_parts(products, PRODUCTS_PER_STATEMENT):
        events.append(news for one in some for news in (stock_event(one, nothing, ()), _product_event(one)))
    return {product.sku: product.pk for product in products}


@transactional
def update_product(product_id: int, *, changes: Mapping[str, Any]) -> Product:
    """Change a product's own fields (price, name …) and tell the screens; its stock is changed by the ledger, not here.

    Raises ProductUnknown, RuleViolation for a SKU in use or a price that is not above zero, Invalid for an unknown
    unit, Conflict for a product with stock that is to be a charge, a sold charge that is to be goods, and a unit that
    is too coarse for the quantities there are.
    """
    lock_stock(product_id)
    product = Product.objects.select_for_update().get(id=product_id)
    before = _values(product)
    changes = dict(changes)
    if "is_stocked" in changes and changes["is_stocked"] != product.is_stocked:
        (_refuse_sold if changes["is_stocked"] else _refuse_held)([product_id])
    if {"price", "is_stocked"} & changes.keys():
        price, is_stocked = changes.get("price", product.price), changes.get("is_stocked", product.is_stocked)
        check_price(price, is_stocked=is_stocked)
    if "category" in changes:
        product.category = category_named(changes.pop("category"))
    if "unit" in changes:
        places = product.unit.decimal_places
        product.unit = unit_coded(changes.pop("unit"))
        if product.unit.decimal_places < places:
            _refuse_finer([product_id], places=product.unit.decimal_places)
    for name, value in _known(changes).items():
        setattr(product, name, value)
    _save(product)
    history.record(history.differences(history.PRODUCT, product_id, before=before, after=_values(product)))
    _announce_product(product)
    return product


def _values(product: Product) -> dict[str, Any]:
    """What a product's history tells the changes of."""
    return {
        **{name: getattr(product, name) for name in sorted(EDITABLE)},
        "category": product.category and product.category.name,
        "unit": product.unit.code,
    }


def _refuse_held(product_ids: Sequence[int]) -> None:
    """Stock of a charge could be promised and never shipped: what is held or on its way keeps a product stocked.

    Expects the products' totals held.
    """
    held = ProductStock.objects.filter(product_id__in=product_ids).exclude(on_hand=0, reserved=0)
    moving = TransferLine.objects.filter(product_id__in=product_ids, transfer__status=Transfer.Status.IN_TRANSIT)
    ids = {*held.values_list("product_id", flat=True), *moving.values_list("product_id", flat=True)}
    if ids:
        skus = ", ".join(Product.objects.filter(id__in=ids).order_by("id").values_list("sku", flat=True)[:20])
        raise Conflict(
            f"There is still stock of {skus}; bring it to zero before it becomes a charge.",
            code="stock_held",
            fields={"is_stocked": ["there is stock"]},
        )


def _refuse_sold(product_ids: Sequence[int]) -> None:
    """What was ordered as a charge has no stock promised to it: as goods it could be neither shipped nor returned."""
    sold = Product.objects.filter(id__in=product_ids, order_lines__isnull=False).distinct().order_by("id")
    skus = ", ".join(sold.values_list("sku", flat=True)[:20])
    if skus:
        raise Conflict(
            f"There are orders of {skus} as a charge; make a new product for the goods.",
            code="sold_as_charge",
            fields={"is_stocked": ["it has been ordered as a charge"]},
        )


def _refuse_finer(product_ids: Sequence[int], *, places: int) -> None:
    """Quantities of these products are no finer than so many decimal places: else they could not be moved any more."""
    for part in in_parts(product_ids, PRODUCTS_PER_STATEMENT):
        row = execute(
            f"SELECT p.sku FROM inventory_product p WHERE p.id IN ({marks(len(part))}) AND ({_FINER}) LIMIT 1",  # noqa: S608  (our own words)
            [*part, *[places] * _FINER.count("%s")],
        ).fetchone()
        if row:
            raise _too_coarse(row[0], places)


def _too_coarse(sku: str, places: int) -> Conflict:
    words = "whole numbers" if places == 0 else f"{places} decimal places"
    return Conflict(
        f"There is stock of {sku} in parts finer than {words}; bring it to a quantity the unit allows first.",
        code="unit_too_coarse",
        fields={"unit_of_measure": ["too coarse for the stock there is"]},
    )


@transactional
def save_unit(unit: UnitOfMeasure) -> UnitOfMeasure:
    """The unit is as given. Raises Conflict when there is stock that is finer than it allows."""
    before = UnitOfMeasure.objects.filter(pk=unit.pk).values_list("decimal_places", flat=True).first()
    if before is not None and unit.decimal_places < before:
        row = execute(
            f"SELECT p.sku FROM inventory_product p WHERE p.unit_id = %s AND ({_FINER}) LIMIT 1",  # noqa: S608  (our own words)
            [unit.pk, *[unit.decimal_places] * _FINER.count("%s")],
        ).fetchone()
        if row:
            raise _too_coarse(row[0], unit.decimal_places)
    unit.save()
    events.outdate(events.CATALOG)
    return unit


@transactional
def save_category(category: Category) -> Category:
    """The category is as given."""
    category.save()
    events.outdate(events.CATALOG)
    return category


def check_price(price: Decimal, *, is_stocked: bool) -> None:
    """Raise RuleViolation unless goods cost something (charges may be free, nothing costs less than nothing)."""
    if price < 0 or (is_stocked and price == 0):
        raise RuleViolation(
            "A price must be above zero.", code="price_not_positive", fields={"price": ["must be above zero"]}
        )


@transactional
def set_bins(product_id: int, *, bins: Mapping[int, str]) -> None:
    """Where the product stands in these warehouses (warehouse id → bin, empty: no bin).

    Raises ProductUnknown, WarehouseUnknown.
    """
    lock_stock(product_id)
    known = set(walls.of(Warehouse.objects.filter(id__in=list(bins), is_active=True)).values_list("id", flat=True))
    if missing := sorted(set(bins) - known):
        raise WarehouseUnknown(
            f"There is no open warehouse {', '.join(map(str, missing))}.",
            fields={"bins": [f"unknown warehouse {one}" for one in missing]},
        )
    ensure_levels((product_id, one) for one in bins)
    _record_levels(product_id, "bin", bins)
    for warehouse_id, where in sorted(bins.items()):
        StockLevel.objects.filter(product_id=product_id, warehouse_id=warehouse_id).update(bin=where)


def _record_levels(product_id: int, field: str, values: Mapping[int, Any]) -> None:
    """Expects the levels to be there, as they were."""
    levels = StockLevel.objects.filter(product_id=product_id, warehouse_id__in=list(values)).order_by("warehouse_id")
    for warehouse_id, before in levels.values_list("warehouse_id", field):
        history.record(
            history.differences(
                history.PRODUCT,
                product_id,
                before={field: before},
                after={field: values[warehouse_id]},
                warehouse_id=warehouse_id,
            )
        )


@transactional
def set_thresholds(product_id: int, *, thresholds: Mapping[int, Decimal | None]) -> None:
    """Warehouses get thresholds of their own for the product (warehouse id → threshold, None: none any more).

    Who watches stock hears of it in the same transaction. Raises ProductUnknown, WarehouseUnknown.
    """
    lock_stock(product_id)
    known = set(
        walls.of(Warehouse.objects.filter(id__in=list(thresholds), is_active=True)).values_list("id", flat=True)
    )
    if missing := sorted(set(thresholds) - known):
        raise WarehouseUnknown(
            f"There is no open warehouse {', '.join(map(str, missing))}.",
            fields={"thresholds": [f"unknown warehouse {one}" for one in missing]},
        )
    ensure_levels((product_id, one) for one in thresholds)
    _record_levels(product_id, "reorder_threshold", thresholds)
    for warehouse_id, threshold in sorted(thresholds.items()):
        StockLevel.objects.filter(product_id=product_id, warehouse_id=warehouse_id).update(reorder_threshold=threshold)
    _announce_product(Product.objects.get(id=product_id))


@transactional
def update_products(changes: Mapping[int, Mapping[str, Any]]) -> None:
    """Change many products' own fields (product id → field → value) in a few statements, and tell the screens.

    Category and unit are named by `category_id` and `unit_id`; a SKU is not changed here. Holds the products' stock.
    """
    ids = sorted(changes)
    hold(ids)
    _refuse_held([one for one in ids if changes[one].get("is_stocked") is False])
    if goods := [one for one in ids if changes[one].get("is_stocked")]:
        _refuse_sold(list(Product.objects.filter(id__in=goods, is_stocked=False).values_list("id", flat=True)))
    _refuse_coarser({one: changes[one]["unit_id"] for one in ids if "unit_id" in changes[one]})
    for part in in_parts(ids, PRODUCTS_PER_STATEMENT):
        _update_some({one: changes[one] for one in part})


def _refuse_coarser(units: Mapping[int, int]) -> None:
    """`_refuse_finer` for products that get these units (product id → unit id)."""
    places = dict(UnitOfMeasure.objects.filter(id__in=set(units.values())).values_list("id", "decimal_places"))
    for unit_id, allowed in sorted(places.items()):
        _refuse_finer([one for one, unit in units.items() if unit == unit_id], places=allowed)


def _update_some(changes: Mapping[int, Mapping[str, Any]]) -> None:
    ids, now = sorted(changes), utc_text()
    lock = " FOR UPDATE" if connection.features.has_select_for_update else ""
    found = execute(
        f"SELECT {','.join(_COLUMNS)} FROM inventory_product WHERE id IN ({marks(len(ids))}) ORDER BY id{lock}",  # noqa: S608  (our names)
        ids,
    ).fetchall()
    rows = {row[0]: dict(zip(_COLUMNS, row, strict=True)) | dict.fromkeys(_CLOCKS, now) for row in found}
    missing = [one for one in ids if one not in rows]
    if missing:
        raise ProductUnknown(f"There is no product {', '.join(map(str, missing))}.")
    _record_many(rows, changes)
    for product_id, values in changes.items():
        rows[product_id] |= {name: _as_stored(name, value) for name, value in values.items()}
    changed = sorted({name for values in changes.values() for name in values} | {"updated_at"})
    # One INSERT … ON CONFLICT UPDATE of rows that exist: a CASE per column would be searched for every row.
    instead = connection.ops.on_conflict_suffix_sql([], OnConflict.UPDATE, changed, ["id"])
    one_row = f"({marks(len(_COLUMNS))})"
    execute(
        f"INSERT INTO inventory_product ({','.join(_COLUMNS)}) VALUES {','.join([one_row] * len(ids))} {instead}",  # noqa: S608  (our names)
        [rows[one][name] for one in ids for name in _COLUMNS],
    )
    shelf = read_shelf(ids)
    events.append(news for one in ids for news in _shelf_events(shelf, one))


def _record_many(rows: Mapping[int, Mapping[str, Any]], changes: Mapping[int, Mapping[str, Any]]) -> None:
    """What these changes make of the rows as they were read, by driver and column; names instead of ids."""
    named: dict[str, dict[Any, str]] = {
        "category_id": dict(Category.objects.values_list("id", "name")),
        "unit_id": dict(UnitOfMeasure.objects.values_list("id", "code")),
    }

    def seen(values: Mapping[str, Any], wanted: Iterable[str]) -> dict[str, Any]:
        return {
            name.removesuffix("_id"): named[name].get(values[name]) if name in named else _exact(name, values[name])
            for name in wanted
        }

    history.record(
        change
        for product_id, new in changes.items()
        for change in history.differences(
            history.PRODUCT, product_id, before=seen(rows[product_id], new), after=seen(new, new)
        )
    )


def _exact(name: str, value: Any) -> Any:
    """A value in Python's kind, whatever the driver makes of it."""
    field = _DECIMALS.get(name)
    if field is not None and value is not None:
        return Decimal(str(value)).quantize(Decimal(1).scaleb(-field.decimal_places))
    return bool(value) if name in _FLAGS else value


def _as_stored(name: str, value: Any) -> Any:
    """Exact to the column's places, which SQLite leaves to us."""
    field = _DECIMALS.get(name)
    return value if field is None or value is None else field.get_db_prep_save(value, connection)


def _shelf_events(shelf: Shelf, product_id: int) -> Iterable[events.NewEvent]:
    product = shelf.products[product_id]
    yield inventory_update(
        product_id=product_id,
        sku=product.sku,
        name=product.name,
        price=product.price,
        on_hand=product.on_hand,
        reserved=product.reserved,
        available=product.available,
        version=product.version,
        levels=[(level.warehouse_id, level.on_hand, level.reserved) for level in shelf.levels[product_id]],
        aside=StockAside(
            product.reorder_threshold,
            is_watched=product.is_stocked and product.is_active,
            available_before=None,
            places=tuple(
                PlaceAside(level.warehouse_id, level.warehouse_name, level.reorder_threshold, level.available, None)
                for level in shelf.levels[product_id]
                if level.reorder_threshold is not None
            ),
        ),
    )
    yield product_updated(
        product_id=product_id, sku=product.sku, name=product.name, price=product.price, is_active=product.is_active
    )


@transactional
def retire_product(product_id: int) -> Product:
    """The product is no longer sold or listed; its history and stock stay."""
    return update_product(product_id, changes={"is_active": False})


@transactional
def restore_product(product_id: int) -> Product:
    """A retired product is sold and listed again."""
    return update_product(product_id, changes={"is_active": True})


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    unknown = set(values) - EDITABLE
    if unknown:
        raise TypeError(f"not a product field: {', '.join(sorted(unknown))}")
    return dict(values)


def _save(product: Product) -> None:
    if not product.name.strip():
        raise Invalid("A product needs a name.", fields={"name": ["may not be blank"]})
    try:
        with transaction.atomic():
            product.save()
    except IntegrityError as error:
        if Product.objects.filter(sku=product.sku).exclude(pk=product.pk).exists():
            raise RuleViolation(
                f"The SKU {product.sku} is in use; choose another one.",
                code="duplicate_sku",
                fields={"sku": ["already in use"]},
            ) from error
        raise


def _announce_product(product: Product) -> None:
    """Expects the product's totals row to be locked or new, so that the facts below are the newest."""
    stock = ProductStock.objects.filter(product_id=product.pk).first()
    if stock is None:
        raise ProductUnknown(f"There is no product {product.pk}.")
    told = stock_event(product, stock, _levels_of(product), places=_places_of(product))
    events.append([told, _product_event(product)])


def _product_event(product: Product) -> events.NewEvent:
    return product_updated(
        product_id=product.pk, sku=product.sku, name=product.name, price=product.price, is_active=product.is_active
    )


def _levels_of(product: Product) -> Iterable[tuple[int, Decimal, Decimal]]:
    return StockLevel.objects.filter(product_id=product.pk).values_list("warehouse_id", "on_hand", "reserved")


def stock_event(
    product: Product,
    stock: ProductStock,
    levels: Iterable[tuple[int, Decimal, Decimal]],
    *,
    places: tuple[PlaceAside, ...] = (),
) -> events.NewEvent:
    """The product's whole stock as news; `levels` are (warehouse id, on hand, reserved)."""
    return inventory_update(
        product_id=product.pk,
        sku=product.sku,
        name=product.name,
        price=product.price,
        on_hand=stock.on_hand,
        reserved=stock.reserved,
        available=stock.available,
        version=stock.version,
        levels=levels,
        aside=StockAside(
            product.reorder_threshold,
            is_watched=product.is_stocked and product.is_active,
            available_before=None,
            places=places,
        ),
    )


def _places_of(product: Product) -> tuple[PlaceAside, ...]:
    rows = StockLevel.objects.filter(product_id=product.pk).select_related("warehouse")
    return tuple(
        PlaceAside(row.warehouse_id, row.warehouse.name, row.reorder_threshold, row.available, None)
        for row in rows
        if row.reorder_threshold is not None
    )
