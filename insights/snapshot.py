"""What the dashboard shows, over HTTP and on its sockets: the day so far, what runs out, what sells best."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Sum

from insights import facts
from insights.facts import Figures
from insights.models import DailySales, DailyTotal
from insights.queries_sales import change_percentage, names_of
from insights.sales import ensure_built
from inventory.queries import low_stock_products
from workbox.core.numbers import to_json

ALERTS_SHOWN = 50
TOP_SHOWN, TOP_DAYS = 5, 30


@dataclass(frozen=True, slots=True)
class Best:
    """A product that sells well: how much of it, for how much."""

    name: str
    product_id: int
    units: Decimal
    revenue: Decimal


def snapshot() -> dict[str, Any]:
    """Today's sales beside yesterday's, products at or below their threshold, and the five best of thirty days."""
    ensure_built()
    today = facts.today()
    live = facts.figures_of([today])
    so_far = live.totals.get(today, Figures()).revenue
    yesterday = DailyTotal.objects.filter(day=today - timedelta(days=1)).values_list("revenue", flat=True).first()
    before = facts.money(yesterday)
    low = low_stock_products()
    shown = list(low.values_list("name", "stock__available", "reorder_threshold", "id")[:ALERTS_SHOWN])
    count = len(shown) if len(shown) < ALERTS_SHOWN else low.order_by().count()
    return picture(datetime.now(UTC), today=so_far, yesterday=before, low=shown, low_count=count, best=_top(live))


def picture(
    at: datetime,
    *,
    today: Decimal,
    yesterday: Decimal,
    low: Iterable[tuple[str, Decimal, Decimal, int]],
    low_count: int,
    best: Sequence[Best],
) -> dict[str, Any]:
    """The snapshot's keys; `low` are name, available, threshold and id of products."""
    return {
        "updated_at": at,
        "daily_snapshot": {
            "today_sales": today,
            "yesterday_sales": yesterday,
            "growth": change_percentage(today, yesterday),
        },
        "inventory_alerts": [
            {"product": name, "current_stock": stock, "min_required": least, "product_id": product_id}
            for name, stock, least, product_id in low
        ],
        "inventory_alerts_total": low_count,
        "top_performers": [
            {"product": one.name, "product_id": one.product_id, "units_sold": one.units, "revenue": one.revenue}
            for one in best
        ],
    }


def snapshot_text() -> str:
    """The snapshot as the JSON text of a frame."""
    return to_json(snapshot()).decode()


def _top(live: facts.DayFigures) -> list[Best]:
    """The products with the most revenue.

    Whoever is among the best with today was among the best before today, or was sold today: only those are looked at.
    """
    today = facts.today()
    kept = DailySales.objects.filter(day__gt=today - timedelta(days=TOP_DAYS), day__lt=today).order_by()
    summed = kept.values("product_id").annotate(sold=Sum("units"), earned=Sum("revenue"))
    best = {row["product_id"]: row for row in summed.order_by("-earned", "product_id")[:TOP_SHOWN]}
    sold_today = {product_id: one for (_, product_id), one in live.products.items() if one.revenue > 0}
    best |= {row["product_id"]: row for row in summed.filter(product_id__in=sold_today)}
    found = {product_id: (facts.money(row["earned"]), facts.units(row["sold"])) for product_id, row in best.items()}
    for product_id, one in sold_today.items():
        earned, sold = found.get(product_id, (facts.ZERO, facts.ZERO))
        found[product_id] = (earned + one.revenue, sold + one.units)
    ranked = sorted((-earned, product_id) for product_id, (earned, _) in found.items() if earned > 0)[:TOP_SHOWN]
    names = names_of([product_id for _, product_id in ranked])
    return [
        Best(names[product_id]["product"], product_id, units=found[product_id][1], revenue=found[product_id][0])
        for _, product_id in ranked
    ]
