"""Reads of vendors: their prices now and before, their offers compared, and how long they really take."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import sqrt
from typing import Any

from django.db.models import Count, DurationField, ExpressionWrapper, F, FloatField, Q, QuerySet, Sum
from django.db.models.functions import Cast

from purchasing.models import Receipt, Vendor, VendorPrice
from purchasing.offers import Offer, Terms, compare, work_out

VENDOR_ORDER = {"name": "name", "created": "id", "created_at": "id", "id": "id", "lead_time": "quoted_lead_time_days"}
VENDOR_NAMES = (
    "id", "name", "contact_email", "contact_phone", "address", "quoted_lead_time_days", "notes", "is_active",
    "created_at", "updated_at",
)  # fmt: skip


def find_vendors(
    *, search: str = "", include_inactive: bool = False, order: tuple[str, ...] = ("name", "id")
) -> QuerySet[Vendor]:
    """The vendors we buy from (with `include_inactive` former ones too); `search` is a part of name, contact, notes."""
    found = Vendor.objects.order_by(*order)
    if not include_inactive:
        found = found.filter(is_active=True)
    if search:
        found = found.filter(
            Q(name__icontains=search)
            | Q(contact_email__icontains=search)
            | Q(contact_phone__icontains=search)
            | Q(address__icontains=search)
            | Q(notes__icontains=search)
        )
    return found


def vendor_body(vendor: Vendor) -> dict[str, Any]:
    """A vendor under its public names."""
    return {name: getattr(vendor, name) for name in VENDOR_NAMES}


def vendor_rows(ids: Sequence[int]) -> list[dict[str, Any]]:
    """These vendors, in the order of `ids`."""
    found = Vendor.objects.in_bulk(ids)
    return [vendor_body(found[one]) for one in ids if one in found]


def find_prices(vendor_id: int, *, product_id: int | None = None, current: bool | None = None) -> QuerySet[VendorPrice]:
    """A vendor's prices, newest first: the whole history, or those in force (`current` False: those that were)."""
    found = VendorPrice.objects.filter(vendor_id=vendor_id).order_by("-id")
    if product_id is not None:
        found = found.filter(product_id=product_id)
    return found if current is None else found.filter(is_current__isnull=not current)


def price_rows(ids: Sequence[int]) -> list[dict[str, Any]]:
    """These prices under their public names with their breaks, in the order of `ids`."""
    rows = VendorPrice.objects.filter(id__in=ids).select_related("vendor", "product").prefetch_related("breaks")
    found = {row.pk: row for row in rows}
    return [
        {
            "id": row.pk,
            "vendor_id": row.vendor_id,
            "vendor_name": row.vendor.name,
            "product_id": row.product_id,
            "sku": row.product.sku,
            "product_name": row.product.name,
            "unit_price": row.unit_price,
            "lead_time_days": row.lead_time_days,
            "minimum_order_quantity": row.minimum_order_quantity,
            "pack_quantity": row.pack_quantity,
            "shipping_cost": row.shipping_cost,
            "shipping_basis": row.shipping_basis,
            "price_breaks": [
                {"from_quantity": one.from_quantity, "unit_price": one.unit_price} for one in row.breaks.all()
            ],
            "is_current": row.is_current is True,
            "valid_from": row.valid_from,
            "valid_to": row.valid_to,
        }
        for row in (found[one] for one in ids if one in found)
    ]


def current_terms(product_ids: Iterable[int], *, vendor_id: int | None = None) -> dict[int, list[Terms]]:
    """Product id → the terms in force of every active vendor, or of one, in three statements at most."""
    rows = VendorPrice.objects.filter(product_id__in=set(product_ids), is_current=True, vendor__is_active=True)
    if vendor_id is not None:
        rows = rows.filter(vendor_id=vendor_id)
    found: dict[int, list[Terms]] = {}
    for row in rows.select_related("vendor").prefetch_related("breaks").order_by("id"):
        found.setdefault(row.product_id, []).append(
            Terms(
                price_id=row.pk,
                vendor_id=row.vendor_id,
                vendor_name=row.vendor.name,
                unit_price=row.unit_price,
                breaks=tuple((one.from_quantity, one.unit_price) for one in row.breaks.all()),
                minimum_order_quantity=row.minimum_order_quantity,
                pack_quantity=row.pack_quantity,
                shipping_cost=row.shipping_cost,
                ships_per_unit=row.shipping_basis == VendorPrice.ShippingBasis.UNIT,
                lead_time_days=row.lead_time_days,
                valid_from=row.valid_from,
            )
        )
    return found


def compare_vendors(product_id: int, *, quantity: Decimal) -> list[Offer]:
    """Every current offer for so many units, cheapest at the door first, exactly one of them recommended."""
    terms = current_terms([product_id]).get(product_id, [])
    times = lead_times([(one.vendor_id, product_id, one.lead_time_days) for one in terms])
    return compare(
        [
            work_out(one, quantity, measured_lead_time_days=times[one.vendor_id, product_id].measured_days)
            for one in terms
        ]
    )


# ---- lead times ------------------------------------------------------------------------------------------------------
MEASURED_FROM_RECEIPTS = 5  # fewer say more about luck than about the vendor
LOOK_BACK_DAYS = 730
QUOTED_SPREAD = Decimal("0.3")  # of the quoted days, as long as nothing was measured
_DAY_SECONDS = 86400
_DAY = 86400e6  # in microseconds, as the databases tell a time between two moments
_HUNDREDTH = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class LeadTime:
    """Days from sending an order to receiving goods of it: mean and standard deviation over `receipts` receipts.

    With fewer than MEASURED_FROM_RECEIPTS it is what the vendor quotes, with a spread of QUOTED_SPREAD.
    """

    quoted_days: int
    receipts: int
    mean_days: Decimal
    sd_days: Decimal

    @property
    def is_measured(self) -> bool:
        """True when receipts say it, not the vendor."""
        return self.receipts >= MEASURED_FROM_RECEIPTS

    @property
    def measured_days(self) -> Decimal | None:
        """The mean, if it was measured."""
        return self.mean_days if self.is_measured else None


def _lead_time(quoted_days: int, taken: "_Taken") -> LeadTime:
    if taken.receipts < MEASURED_FROM_RECEIPTS:
        quoted = Decimal(quoted_days)
        return LeadTime(quoted_days, taken.receipts, quoted, quoted * QUOTED_SPREAD)
    mean_days, sd_days = (Decimal(repr(one)).quantize(_HUNDREDTH) for one in (taken.mean_days, taken.sd_days))
    return LeadTime(quoted_days, taken.receipts, mean_days, sd_days)


def lead_times(wanted: Sequence[tuple[int, int, int]]) -> dict[tuple[int, int], LeadTime]:
    """(vendor, product) → lead time for (vendor id, product id, quoted days), in two statements at most.

    The product's own receipts decide; when they are too few, the vendor's; when those are too few, what is quoted.
    """
    mine = _taken_by(vendor_id for vendor_id, _, _ in wanted)
    own = _taken_for(mine, {product_id for _, product_id, _ in wanted}) if mine else {}
    found = {}
    for vendor_id, product_id, quoted in wanted:
        times = own.get((vendor_id, product_id), NEVER)
        is_enough = times.receipts >= MEASURED_FROM_RECEIPTS
        found[vendor_id, product_id] = _lead_time(quoted, times if is_enough else mine.get(vendor_id, NEVER))
    return found


def vendor_lead_times(vendor_ids: Iterable[int]) -> dict[int, LeadTime]:
    """Vendor id → lead time over all its receipts of the last two years, in two statements."""
    vendors = dict(Vendor.objects.filter(id__in=set(vendor_ids)).values_list("id", "quoted_lead_time_days"))
    taken = _taken_by(vendors)
    return {vendor_id: _lead_time(quoted, taken.get(vendor_id, NEVER)) for vendor_id, quoted in vendors.items()}


def lead_time_body(found: LeadTime) -> dict[str, Any]:
    """A lead time under its public names."""
    return {
        "quoted_lead_time_days": found.quoted_days,
        "receipts": found.receipts,
        "is_measured": found.is_measured,
        "mean_days": found.mean_days,
        "sd_days": found.sd_days,
    }


def vendor_lead_time_report(vendor_id: int) -> dict[str, Any] | None:
    """How long a vendor takes in all and per product it has delivered or quotes now; None: no such vendor."""
    vendor = Vendor.objects.filter(pk=vendor_id).first()
    if vendor is None:
        return None
    overall = _lead_time(vendor.quoted_lead_time_days, _taken_by([vendor_id]).get(vendor_id, NEVER))
    quoted = {
        product_id: (sku, name, lead_time)
        for product_id, sku, name, lead_time in VendorPrice.objects.filter(vendor_id=vendor_id, is_current=True)
        .order_by("product__name", "product_id")
        .values_list("product_id", "product__sku", "product__name", "lead_time_days")
    }
    taken = _taken_for([vendor_id], quoted)
    return {
        "vendor_id": vendor_id,
        **lead_time_body(overall),
        "products": [
            {
                "product_id": product_id,
                "sku": sku,
                "name": name,
                **lead_time_body(_lead_time(lead_time, taken.get((vendor_id, product_id), NEVER))),
            }
            for product_id, (sku, name, lead_time) in quoted.items()
        ],
    }


@dataclass(frozen=True, slots=True)
class _Taken:
    """How long receipts took: their number, and mean and standard deviation of the days."""

    receipts: int
    mean_days: float
    sd_days: float


NEVER = _Taken(0, 0.0, 0.0)


def _that_tell() -> Q:
    """Receipts of the last two years that tell something of the vendor: not those that were a mistake."""
    return Q(
        order__sent_at__isnull=False,
        operation__reversed_by__isnull=True,
        received_at__gte=datetime.now(UTC) - timedelta(days=LOOK_BACK_DAYS),
    )


def _taken_by(vendor_ids: Iterable[int]) -> dict[int, _Taken]:
    """Per vendor, over all its receipts."""
    took = Cast(ExpressionWrapper(F("received_at") - F("order__sent_at"), DurationField()), FloatField()) / _DAY
    rows = Receipt.objects.filter(_that_tell(), order__vendor_id__in=set(vendor_ids)).order_by()
    grouped = rows.values_list("order__vendor_id").annotate(count=Count("id"), days=Sum(took), squares=Sum(took * took))
    return {vendor_id: _taken(count, days, squares) for vendor_id, count, days, squares in grouped}


def _taken(count: int, days: float, squares: float) -> _Taken:
    variance = (squares - days * days / count) / (count - 1) if count > 1 else 0.0
    return _Taken(count, days / count, sqrt(max(variance, 0.0)))


def _taken_for(vendor_ids: Iterable[int], product_ids: Iterable[int]) -> dict[tuple[int, int], _Taken]:
    """Per vendor and product, over the receipts that brought it; one in two lines is one receipt."""
    receipts = Receipt.objects.filter(_that_tell(), order__vendor_id__in=set(vendor_ids))
    rows = receipts.filter(operation__movements__product_id__in=set(product_ids)).order_by().distinct()
    days: dict[tuple[int, int], list[float]] = {}
    for vendor_id, product_id, _, sent_at, received_at in rows.values_list(
        "order__vendor_id", "operation__movements__product_id", "id", "order__sent_at", "received_at"
    ):
        if sent_at is not None:
            days.setdefault((vendor_id, product_id), []).append((received_at - sent_at).total_seconds() / _DAY_SECONDS)
    return {key: _taken(len(one), sum(one), sum(day * day for day in one)) for key, one in days.items()}
