"""Stock seen against sales and time: how long it lasts, how old it is, what lies dead, when it moves.

All work on one page of products, or on sums the database makes; the number of statements does not depend on either.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Case, DecimalField, Exists, F, Max, OuterRef, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Coalesce, TruncDate

from insights import facts
from insights.facts import ZERO, Figures
from insights.models import DailySales
from insights.queries_sales import Period, by_product, names_of
from inventory.models import MovementType, Product, ProductStock, StockMovement
from inventory.queries import ProductFilter, find_products

MONTH_DAYS = 30
_STEP, _RATIO_STEP = Decimal("0.1"), Decimal("0.01")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# Age band → the days it begins and ends with, both included.
BANDS: tuple[tuple[str, int, int | None], ...] = (
    ("0-30", 0, 30),
    ("31-60", 31, 60),
    ("61-90", 61, 90),
    ("91-180", 91, 180),
    ("181+", 181, None),
)


def days_left(stock: Decimal, sold: Decimal, days: int) -> Decimal | None:
    """How many days the stock lasts when it sells on as it did; None when it did not sell."""
    return (stock * days / sold).quantize(_STEP) if sold > 0 else None


# ---- how long it lasts -----------------------------------------------------------------------------------------------
def stocked_products(*, category: str = "", is_low: bool | None = None) -> QuerySet[Product]:
    """Products on sale of which stock is kept, emptiest first."""
    wanted = ProductFilter(category=category, low_stock=is_low, order=("stock__available", "id"))
    return find_products(wanted).filter(is_stocked=True)


def stock_rows(ids: Sequence[int]) -> list[dict[str, Any]]:
    """Stock, a month's sales and how long it lasts, of these products."""
    sold, names = by_product(Period.until_today(MONTH_DAYS), ids), names_of(ids)
    stock = {
        row[0]: row[1:]
        for row in ProductStock.objects.filter(product_id__in=ids).values_list(
            "product_id", "available", "product__reorder_threshold"
        )
    }
    return [
        {
            **names[one],
            "current_stock": stock[one][0],
            "monthly_sales": (month := sold.get(one, Figures()).units),
            "status": "Low" if stock[one][0] <= stock[one][1] else "Good",
            "estimated_days_left": days_left(stock[one][0], month, MONTH_DAYS),
        }
        for one in ids
        if one in names and one in stock
    ]


def turnover_rows(ids: Sequence[int], period: Period) -> list[dict[str, Any]]:
    """How often these products' average stock was sold in the period, and how many days the stock at its end lasts."""
    sold, names = by_product(period, ids), names_of(ids)
    stock = _stock_at_ends(period, Q(product_id__in=ids), "product_id")
    return [
        {**names[one], **_turnover(sold.get(one, Figures()).units, stock.get(one, (ZERO, ZERO)), period.days)}
        for one in ids
        if one in names
    ]


def turnover_by_category(period: Period) -> list[dict[str, Any]]:
    """The same per category name; units of all its products together."""
    category_of = dict(Product.objects.filter(is_stocked=True).order_by().values_list("id", "category__name"))
    sold: dict[str | None, Decimal] = {}
    for product_id, one in by_product(period).items():
        if product_id in category_of:
            name = category_of[product_id]
            sold[name] = sold.get(name, ZERO) + one.units
    stock = _stock_at_ends(period, Q(), "product__category__name")
    return [
        {"category": name, **_turnover(sold.get(name, ZERO), stock.get(name, (ZERO, ZERO)), period.days)}
        for name in sorted(sold.keys() | stock.keys(), key=lambda name: name or "")
    ]


def _stock_at_ends(period: Period, which: Q, key: str) -> dict[Any, tuple[Decimal, Decimal]]:
    """On hand at the beginning and the end of the period: what is there now, less what has moved since."""
    moved = (
        StockMovement.objects.filter(which, created_at__gte=facts.midnight(period.first))
        .order_by()
        .values(key)
        .annotate(
            since_first=Sum("quantity"),
            since_last=Sum("quantity", filter=Q(created_at__gte=facts.midnight(period.last + timedelta(days=1)))),
        )
    )
    since = {row[key]: (facts.units(row["since_first"]), facts.units(row["since_last"])) for row in moved}
    there = ProductStock.objects.filter(which, product__is_stocked=True).order_by().values(key)
    found = {}
    for row in there.annotate(now=Sum("on_hand")):
        first, last = since.get(row[key], (ZERO, ZERO))
        now = facts.units(row["now"])
        found[row[key]] = (now - first, now - last)
    return found


def _turnover(sold: Decimal, stock: tuple[Decimal, Decimal], days: int) -> dict[str, Any]:
    average = (stock[0] + stock[1]) / 2
    return {
        "units_sold": sold,
        "opening_stock": stock[0],
        "closing_stock": stock[1],
        "average_stock": average,
        "turnover": (sold / average).quantize(_RATIO_STEP) if average > 0 else None,
        "days_of_cover": days_left(stock[1], sold, days),
    }


# ---- how old it is ---------------------------------------------------------------------------------------------------
def products_with_stock(*, category: str = "") -> QuerySet[Product]:
    """Products of which something stands on a shelf, most first; retired ones too."""
    found = find_products(ProductFilter(category=category, active=None, order=("-stock__on_hand", "id")))
    return found.filter(stock__on_hand__gt=0)


def age_rows(ids: Sequence[int], today: date | None = None) -> list[dict[str, Any]]:
    """The stock of these products by the age of the movements it came in with.

    What came in last is taken to be still there (first in, first out). What no movement in explains is oldest.
    Transfers only move stock about, so they make nothing younger.
    """
    today = today or facts.today()
    sums = {name: Sum("quantity", filter=_came_in(today, begins, ends)) for name, begins, ends in BANDS}
    inbound = _inbound().filter(product_id__in=ids).order_by().values("product_id")
    came = {row["product_id"]: row for row in inbound.annotate(last=Max("created_at"), **sums)}
    there = dict(ProductStock.objects.filter(product_id__in=ids).values_list("product_id", "on_hand"))
    names = names_of(ids)
    return [
        {
            **names[one],
            "on_hand": there[one],
            "last_inbound_at": came[one]["last"] if one in came else None,
            "bands": _by_age(there[one], came.get(one) or {}),
        }
        for one in ids
        if one in names and one in there
    ]


def _inbound() -> QuerySet[StockMovement]:
    return StockMovement.objects.filter(quantity__gt=0).exclude(movement_type=MovementType.TRANSFER_IN)


def _came_in(today: date, begins: int, ends: int | None) -> Q:
    found = Q(created_at__lt=facts.midnight(today - timedelta(days=begins - 1))) if begins else Q()
    return found if ends is None else found & Q(created_at__gte=facts.midnight(today - timedelta(days=ends)))


def _by_age(there: Decimal, came: Mapping[str, Any]) -> list[dict[str, Any]]:
    left, found = there, []
    for name, _, ends in BANDS:
        part = left if ends is None else min(left, facts.units(came.get(name)))
        left -= part
        found.append({"days": name, "quantity": part})
    return found


# ---- what lies dead --------------------------------------------------------------------------------------------------
def dead_products(days: int, *, category: str = "") -> QuerySet[Product]:
    """Products with stock of which nothing was sold and nothing came in during the last `days` days, most first."""
    since = facts.today() - timedelta(days=days - 1)
    moved = StockMovement.objects.filter(product_id=OuterRef("pk"), created_at__gte=facts.midnight(since))
    sold_or_in = moved.filter(Q(movement_type=MovementType.SALE) | Q(quantity__gt=0)).exclude(
        movement_type=MovementType.TRANSFER_IN
    )
    ordered = facts.sold_lines(facts.since_midnight_of(facts.today())).filter(product_id=OuterRef("pk"))
    kept = DailySales.objects.filter(product_id=OuterRef("pk"), day__gte=since, orders__gt=0)
    return products_with_stock(category=category).filter(~Exists(kept), ~Exists(ordered), ~Exists(sold_or_in))


def dead_rows(ids: Sequence[int]) -> list[dict[str, Any]]:
    """What lies there, what it cost, when it was last sold and last came in."""
    names = names_of(ids)
    sold = dict(
        DailySales.objects.filter(product_id__in=ids, orders__gt=0)
        .order_by()
        .values_list("product_id")
        .annotate(last=Max("day"))
    )
    came = dict(
        _inbound().filter(product_id__in=ids).order_by().values_list("product_id").annotate(last=Max("created_at"))
    )
    there = {
        row[0]: row[1:]
        for row in Product.objects.filter(id__in=ids).order_by().values_list("id", "stock__on_hand", "unit_cost")
    }
    return [
        {
            **names[one],
            "on_hand": there[one][0],
            "stock_value": _value(*there[one]),
            "last_sold_on": sold[one].isoformat() if one in sold else None,
            "last_inbound_at": came.get(one),
        }
        for one in ids
        if one in names
    ]


def _value(quantity: Decimal, unit_cost: Decimal | None) -> Decimal | None:
    return None if unit_cost is None else facts.money(quantity * unit_cost)


# ---- when it moves ---------------------------------------------------------------------------------------------------
def movement_patterns(period: Period, *, product_id: int | None = None) -> dict[str, list[dict[str, Any]]]:
    """Units moved (without sign; `adjustment` with it) per type, by day and by day of the week; zeros included."""
    found = StockMovement.objects.filter(
        created_at__gte=facts.midnight(period.first), created_at__lt=facts.midnight(period.last + timedelta(days=1))
    )
    if product_id is not None:
        found = found.filter(product_id=product_id)
    signed = Case(
        When(movement_type=MovementType.ADJUSTMENT, then=F("quantity")),
        When(quantity__lt=0, then=-F("quantity")),
        default=F("quantity"),
        output_field=DecimalField(max_digits=24, decimal_places=3),
    )
    rows = (
        found.order_by()
        .annotate(on=TruncDate("created_at", tzinfo=UTC))
        .values_list("on", "movement_type")
        .annotate(moved=Coalesce(Sum(signed), Value(ZERO), output_field=DecimalField(max_digits=24, decimal_places=3)))
    )
    by_day: dict[date, dict[str, Decimal]] = {
        day: dict.fromkeys(MovementType.values, ZERO) for day in period.each_day()
    }
    by_weekday = [dict.fromkeys(MovementType.values, ZERO) for _ in WEEKDAYS]
    for on, kind, moved in rows:
        by_day[on][kind] = facts.units(moved)
        by_weekday[on.weekday()][kind] += facts.units(moved)
    return {
        "by_day": [{"date": day.isoformat(), "units": sums} for day, sums in by_day.items()],
        "by_weekday": [{"weekday": name, "units": sums} for name, sums in zip(WEEKDAYS, by_weekday, strict=True)],
    }
