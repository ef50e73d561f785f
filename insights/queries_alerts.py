"""What the checks look at: how fast products sell, and what was sold or written off in an unusual amount."""

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from django.db.models import Min, Sum
from django.db.models.functions import TruncDate

from insights import facts, reasons
from insights.models import DailySales
from insights.reasons import ZERO, Named, Reason
from inventory.models import MovementType, Product, ProductStock, StockMovement, StockOperation
from purchasing.models import VendorPrice
from workbox.core.db import in_parts

RATE_DAYS, RATE_DAYS_MIN = 28, 7
SPIKE_DAYS, SPIKE_DAYS_MIN = 60, 14
SPIKE_UNITS_MIN = Decimal(5)
SPIKE_DEVIATIONS, SPIKE_MEANS = 4, 3
SPIKE_LOOK_BACK_DAYS = 2  # today and yesterday: what came in late counts too
WRITE_OFF_HOURS = 24
WRITE_OFF_SHARE = Decimal("0.3")
WRITE_OFF_UNITS_MIN = Decimal(5)
IDS_PER_STATEMENT = 1000
_STEP = Decimal("0.001")
_EXPLAINED = (StockOperation.Kind.OPENING, StockOperation.Kind.IMPORT, StockOperation.Kind.REVERSAL)


# ---- how fast it sells -----------------------------------------------------------------------------------------------
def daily_rates(today: date) -> dict[int, Decimal]:
    """Units a day per product: the mean of the last 28 days on which it was in stock or sold, today left out.

    Products that did not sell are left out, and those that were in stock on less than seven of the days: that says too
    little.
    """
    first = today - timedelta(days=RATE_DAYS)
    sold: dict[int, dict[date, Decimal]] = {}
    rows = DailySales.objects.filter(day__gte=first, day__lt=today, units__gt=0).order_by()
    for product_id, day, units in rows.values_list("product_id", "day", "units"):
        sold.setdefault(product_id, {})[day] = units
    moved: dict[int, dict[date, Decimal]] = {}
    there: dict[int, Decimal] = {}
    for part in in_parts(sorted(sold), IDS_PER_STATEMENT):
        moved |= _moved_since(first, part)
        there |= ProductStock.objects.filter(product_id__in=part).values_list("product_id", "on_hand")
    found = {}
    for product_id, by_day in sold.items():
        days = days_in_stock(there.get(product_id, ZERO), moved.get(product_id, {}), by_day, first, today)
        if days >= RATE_DAYS_MIN:
            found[product_id] = sum(by_day.values(), ZERO) / days
    return found


def days_in_stock(
    on_hand: Decimal, moved: Mapping[date, Decimal], sold: Mapping[date, Decimal], first: date, today: date
) -> int:
    """On how many days from `first` to yesterday something was there or sold, told back from what is on hand now."""
    days, end, day = 0, on_hand, today
    while day >= first:
        start = end - moved.get(day, ZERO)
        if day < today and (start > 0 or end > 0 or day in sold):
            days += 1
        end = start
        day -= timedelta(days=1)
    return days


def _moved_since(first: date, product_ids: Iterable[int]) -> dict[int, dict[date, Decimal]]:
    found: dict[int, dict[date, Decimal]] = {}
    rows = (
        StockMovement.objects.filter(created_at__gte=facts.midnight(first), product_id__in=list(product_ids))
        .order_by()
        .annotate(on=TruncDate("created_at", tzinfo=UTC))
        .values("product_id", "on")
        .annotate(units=Sum("quantity"))
    )
    for row in rows:
        found.setdefault(row["product_id"], {})[row["on"]] = facts.units(row["units"])
    return found


def lead_times_days(product_ids: Iterable[int]) -> dict[int, int]:
    """The shortest lead time an active vendor quotes, per product that has one."""
    found: dict[int, int] = {}
    for part in in_parts(sorted(product_ids), IDS_PER_STATEMENT):
        rows = VendorPrice.objects.filter(product_id__in=part, is_current=True, vendor__is_active=True)
        found |= rows.order_by().values_list("product_id").annotate(days=Min("lead_time_days"))
    return found


# ---- what is unusual -------------------------------------------------------------------------------------------------
def spikes(today: date) -> dict[int, Reason]:
    """Products that sold far more today or yesterday than on the sixty days before: per product, the later day.

    Far more: above the mean by four standard deviations and above three times the mean, and at least five units. Days
    count from the product's first sale of the sixty on; with less than fourteen nothing is unusual.
    """
    late = DailySales.objects.filter(
        day__gt=today - timedelta(days=SPIKE_LOOK_BACK_DAYS), day__lte=today, units__gte=SPIKE_UNITS_MIN
    )
    candidates = list(late.order_by("day", "product_id").values_list("product_id", "day", "units"))
    if not candidates:
        return {}
    history: dict[int, list[tuple[date, Decimal]]] = {}
    first = today - timedelta(days=SPIKE_DAYS + SPIKE_LOOK_BACK_DAYS)
    before = DailySales.objects.filter(
        product_id__in={row[0] for row in candidates}, day__gte=first, day__lt=today, units__gt=0
    )
    for product_id, day, units in before.order_by("product_id", "day").values_list("product_id", "day", "units"):
        history.setdefault(product_id, []).append((day, units))
    names = _named(history)
    found: dict[int, Reason] = {}
    for product_id, day, units in candidates:
        usual = usual_sales(history.get(product_id, []), day)
        if usual is not None and units > usual[1]:
            found[product_id] = reasons.sales_spike(
                names[product_id], units=units, day=day, mean=usual[0], limit=usual[1]
            )
    return found


def usual_sales(history: list[tuple[date, Decimal]], day: date) -> tuple[Decimal, Decimal] | None:
    """(mean, limit) of the units a day on the sixty days before `day`; None when there are too few to tell."""
    kept = [(one, units) for one, units in history if day - timedelta(days=SPIKE_DAYS) <= one < day]
    days = (day - kept[0][0]).days if kept else 0
    if days < SPIKE_DAYS_MIN:
        return None
    mean = sum((units for _, units in kept), ZERO) / days
    squares = sum((units * units for _, units in kept), ZERO) / days
    deviation = Decimal(math.sqrt(max(squares - mean * mean, ZERO)))
    limit = max(mean + SPIKE_DEVIATIONS * deviation, SPIKE_MEANS * mean)
    return mean, limit.quantize(_STEP)


def write_offs(now: datetime) -> Iterator[dict[int, Reason]]:
    """Adjustments and damages of the last day that took more than 30 % of what stood in a warehouse, and five units.

    The newest of each product and warehouse, grouped so that a product comes once per group.
    """
    rows = (
        StockMovement.objects.filter(
            created_at__gte=now - timedelta(hours=WRITE_OFF_HOURS),
            movement_type__in=[MovementType.ADJUSTMENT, MovementType.DAMAGED],
            quantity__lte=-WRITE_OFF_UNITS_MIN,
        )
        .exclude(operation__kind__in=_EXPLAINED)
        .select_related("product", "warehouse")
        .order_by("id")
    )
    newest: dict[tuple[int, int], Reason] = {}
    for row in rows:
        units, before = -row.quantity, row.balance_after - row.quantity
        limit = (before * WRITE_OFF_SHARE).quantize(_STEP)
        if units > limit:
            newest[row.product_id, row.warehouse_id] = reasons.write_off(
                Named(row.product_id, row.product.sku, row.product.name),
                units=units,
                before=before,
                limit=limit,
                place=(row.warehouse_id, row.warehouse.name),
                movement=(row.pk, row.created_at.astimezone(UTC).date()),
            )
    for place in sorted({warehouse_id for _, warehouse_id in newest}):
        yield {product_id: reason for (product_id, at), reason in newest.items() if at == place}


def _named(product_ids: Iterable[int]) -> dict[int, Named]:
    rows = Product.objects.filter(id__in=list(product_ids)).values_list("id", "sku", "name")
    return {row[0]: Named(*row) for row in rows}
