"""Vendors by name, and what they ask for a product; prices are only added to."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from inventory.models import Product
from inventory.services.levels import ShelfProduct, read_shelf
from purchasing.models import LEAD_TIME_DAYS_MAX, Vendor, VendorPrice
from purchasing.services.vendors import (
    NewPrice,
    add_price,
    change_vendor,
    create_vendor,
    terms_faults,
    withdraw_price,
)
from workbox.core.numbers import MONEY_MAX, MONEY_PLACES, QUANTITY_MAX, QUANTITY_PLACES, has_places, parse_decimal
from workbox.exchange.kinds.base import NEW, Applied, Kind, Line, Planned, reading, require, same
from workbox.exchange.models import ImportRow
from workbox.exchange.tables import breaks_text


class Vendors(Kind):
    """A vendor is known by its name in any spelling."""

    aliases = {
        "name": ("vendor", "vendor_name", "supplier", "supplier_name"),
        "contact_email": ("email", "e_mail"),
        "contact_phone": ("phone", "telephone"),
        "address": (),
        "quoted_lead_time_days": ("lead_time_days", "lead_time"),
        "notes": ("note", "comment"),
        "is_active": ("active",),
    }
    required = ("name",)

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def hold(self, lines: Sequence[Line]) -> None:
        """The vendors that are known."""
        _known(lines, "name", lock=True)

    def plan(self, lines: Sequence[Line]) -> list[Planned]:
        known = _known(lines, "name")
        return [self._planned(line, known) for line in lines]

    def _planned(self, line: Line, known: Mapping[str, Vendor]) -> Planned:
        planned = Planned(line)
        fields = reading(line, planned)
        name = " ".join(fields.text("name", max_length=200).split())
        planned.key = name
        require(planned, ("name",), {"name": name})
        key = Vendor.key_of(name)
        if name and self._seen.setdefault(key, line.number) != line.number:
            planned.fault("name", f"line {self._seen[key]} names this vendor already")
        wanted: dict[str, Any] = {"name": name}
        for column, length in (("contact_email", 254), ("contact_phone", 60), ("address", 300), ("notes", 500)):
            if column in line.raw:
                wanted[column] = fields.text(column, max_length=length)
        if "quoted_lead_time_days" in line.raw:
            wanted["quoted_lead_time_days"] = fields.whole(
                "quoted_lead_time_days", low=0, high=LEAD_TIME_DAYS_MAX, default=0
            )
        if "is_active" in line.raw:
            wanted["is_active"] = fields.boolean("is_active")
        if wanted.get("contact_email"):
            try:
                validate_email(wanted["contact_email"])
            except ValidationError:
                planned.fault("contact_email", "is no e-mail address")
        vendor = known.get(key)
        planned.compare(wanted, _fields_of(vendor) if vendor is not None else {})
        return planned.settle(is_new=vendor is None)

    def apply(self, rows: Sequence[Planned], *, reason: str, actor_id: int | None) -> Applied:
        known = _known([row.line for row in rows], "name")
        for row in rows:
            if row.status == NEW:
                create_vendor(row.values)
            else:
                change_vendor(known[Vendor.key_of(row.key)].pk, row.values)
        return Applied()

    def take_back(self, rows: Sequence[ImportRow], result: Mapping[str, Any], *, reason: str) -> set[int]:
        kept = set()
        for row in rows:
            vendor = Vendor.objects.select_for_update().filter(name_key=Vendor.key_of(row.key)).first()
            if vendor is None or any(not same(getattr(vendor, name), value) for name, value in row.values.items()):
                kept.add(row.number)
            else:
                change_vendor(vendor.pk, {"is_active": False} if row.status == NEW else row.before)
        return kept


def _fields_of(vendor: Vendor) -> dict[str, Any]:
    return {name: getattr(vendor, name) for name in Vendors.aliases}


def _known(lines: Sequence[Line], column: str, *, lock: bool = False) -> dict[str, Vendor]:
    keys = {Vendor.key_of(line.raw.get(column, "")) for line in lines}
    found = Vendor.objects.filter(name_key__in=keys).order_by("id")
    return {vendor.name_key: vendor for vendor in (found.select_for_update() if lock else found)}


class Prices(Kind):
    """A price is known by its vendor and SKU; a different one closes it and begins now."""

    aliases = {
        "vendor": ("vendor_name", "supplier", "supplier_name"),
        "sku": ("product_sku", "article", "article_number"),
        "unit_price": ("price", "cost", "unit_cost"),
        "lead_time_days": ("lead_time",),
        "minimum_order_quantity": ("moq", "minimum_quantity"),
        "pack_quantity": ("pack", "pack_size"),
        "shipping_cost": ("shipping",),
        "shipping_basis": (),
        "price_breaks": ("breaks",),
    }
    required = ("vendor", "sku", "unit_price")

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], int] = {}

    def hold(self, lines: Sequence[Line]) -> None:
        """The vendors: whoever changes a price holds its vendor."""
        _known(lines, "vendor", lock=True)

    def plan(self, lines: Sequence[Line]) -> list[Planned]:
        vendors = _known(lines, "vendor")
        skus = {line.raw.get("sku", "").strip() for line in lines}
        ids = Product.objects.filter(sku__in=skus).values_list("id", flat=True)
        products = {row.sku: row for row in read_shelf(ids, levels=False).products.values()}
        rows = VendorPrice.objects.filter(
            vendor__in=[one.pk for one in vendors.values()], product__sku__in=skus, is_current=True
        ).prefetch_related("breaks")
        prices = {(row.vendor_id, row.product_id): row for row in rows}
        return [self._planned(line, vendors, products, prices) for line in lines]

    def _planned(
        self,
        line: Line,
        vendors: Mapping[str, Vendor],
        products: Mapping[str, ShelfProduct],
        prices: Mapping[tuple[int, int], VendorPrice],
    ) -> Planned:
        planned = Planned(line)
        fields = reading(line, planned)
        name, sku = " ".join(fields.text("vendor", max_length=200).split()), fields.text("sku", max_length=64)
        planned.key = f"{name} · {sku}"
        require(planned, self.required, {"vendor": name, "sku": sku, "unit_price": line.raw.get("unit_price")})
        key = (Vendor.key_of(name), sku)
        if self._seen.setdefault(key, line.number) != line.number:
            planned.fault("sku", f"line {self._seen[key]} names this price already")
        vendor, product = vendors.get(key[0]), products.get(sku)
        if name and (vendor is None or not vendor.is_active):
            planned.fault("vendor", f"there is no vendor {name}")
        if sku and (product is None or not product.is_active or not product.is_stocked):
            planned.fault("sku", f"there is no product {sku} to buy")
        wanted = _read_price(line, planned)
        if planned.errors or vendor is None or product is None:
            return planned.settle(is_new=True)
        price = prices.get((vendor.pk, product.id))
        known = _price_fields(price) if price is not None else {}
        for column, message in terms_faults(_new_price(product.id, known | wanted), product).items():
            planned.fault(column.partition(".")[0], message)
        planned.compare(wanted, known)
        return planned.settle(is_new=price is None)

    def apply(self, rows: Sequence[Planned], *, reason: str, actor_id: int | None) -> Applied:
        pairs = _pairs([row.line.raw for row in rows])
        for row, pair in zip(rows, pairs, strict=True):
            if pair is not None:  # planned in this transaction: both are there
                self._set(*pair, row.values)
        return Applied()

    @staticmethod
    def _set(vendor_id: int, product_id: int, values: Mapping[str, Any]) -> None:
        """What is not named stays as the price in force has it."""
        current = VendorPrice.objects.filter(vendor_id=vendor_id, product_id=product_id, is_current=True).first()
        known = _price_fields(current) if current is not None else {}
        add_price(vendor_id, _new_price(product_id, known | dict(values)))

    def take_back(self, rows: Sequence[ImportRow], result: Mapping[str, Any], *, reason: str) -> set[int]:
        kept = set()
        for row, pair in zip(rows, _pairs([row.raw for row in rows]), strict=True):
            if pair is None:
                kept.add(row.number)
                continue
            vendor_id, product_id = pair
            current = VendorPrice.objects.filter(vendor_id=vendor_id, product_id=product_id, is_current=True).first()
            now = _price_fields(current) if current is not None else {}
            if any(not same(now.get(name), _typed(name, value)) for name, value in row.values.items()):
                kept.add(row.number)
            elif row.status == NEW:
                withdraw_price(vendor_id, product_id)
            else:
                self._set(vendor_id, product_id, {name: _typed(name, value) for name, value in row.before.items()})
        return kept


def _pairs(raws: Sequence[Mapping[str, str]]) -> list[tuple[int, int] | None]:
    """Vendor and product of each row, by what stands in the file (the key people see may be cut); None: renamed."""
    names = [(Vendor.key_of(raw["vendor"]), raw["sku"].strip()) for raw in raws]
    vendors = dict(Vendor.objects.filter(name_key__in={name for name, _ in names}).values_list("name_key", "id"))
    products = dict(Product.objects.filter(sku__in={sku for _, sku in names}).values_list("sku", "id"))
    return [(vendors[name], products[sku]) if name in vendors and sku in products else None for name, sku in names]


def _new_price(product_id: int, values: Mapping[str, Any]) -> NewPrice:
    """As the service takes it."""
    rest = {name: value for name, value in values.items() if name != "price_breaks"}
    return NewPrice(product_id=product_id, breaks=read_breaks(values.get("price_breaks") or "") or (), **rest)


def _typed(name: str, value: Any) -> Any:
    is_number = isinstance(value, str) and name not in {"shipping_basis", "price_breaks"}
    return Decimal(value) if is_number else value


def _price_fields(price: VendorPrice) -> dict[str, Any]:
    return {
        "unit_price": price.unit_price,
        "lead_time_days": price.lead_time_days,
        "minimum_order_quantity": price.minimum_order_quantity,
        "pack_quantity": price.pack_quantity,
        "shipping_cost": price.shipping_cost,
        "shipping_basis": price.shipping_basis,
        "price_breaks": breaks_text([(one.from_quantity, one.unit_price) for one in price.breaks.all()]),
    }


def _read_price(line: Line, planned: Planned) -> dict[str, Any]:
    """The price's fields that the row gives."""
    fields = reading(line, planned)
    readers: dict[str, Callable[[], Any]] = {
        "unit_price": lambda: fields.money("unit_price"),
        "lead_time_days": lambda: fields.whole("lead_time_days", low=0, high=LEAD_TIME_DAYS_MAX, default=0),
        "minimum_order_quantity": lambda: fields.quantity("minimum_order_quantity"),
        "pack_quantity": lambda: fields.quantity("pack_quantity"),
        "shipping_cost": lambda: fields.money("shipping_cost"),
        "shipping_basis": lambda: fields.choice("shipping_basis", VendorPrice.ShippingBasis.values),
        "price_breaks": lambda: _breaks(line, planned),
    }
    return {name: read() for name, read in readers.items() if name in line.raw}


def _breaks(line: Line, planned: Planned) -> str | None:
    breaks = read_breaks(line.raw["price_breaks"])
    if breaks is None:
        planned.fault("price_breaks", "must look like 10: 4.50; 50: 4")
    return None if breaks is None else breaks_text(breaks)


def read_breaks(text: str) -> list[tuple[Decimal, Decimal]] | None:
    """`10: 4.50; 50: 4` as (from quantity, unit price) pairs, in order; None when it cannot be read."""
    found = []
    for part in filter(None, (one.strip() for one in text.split(";"))):
        quantity, _, price = (one.strip() for one in part.partition(":"))
        left, right = parse_decimal(quantity), parse_decimal(price)
        if (
            left is None
            or right is None
            or left <= 0
            or right < 0
            or not has_places(left, QUANTITY_PLACES)
            or not has_places(right, MONEY_PLACES)
            or left > QUANTITY_MAX
            or right > MONEY_MAX
        ):
            return None
        found.append((left.quantize(Decimal("0.001")), right.quantize(Decimal("0.0001"))))
    return sorted(found) if len({one for one, _ in found}) == len(found) else None
