"""Service: the checks that run by the clock. They find what no single stock change shows, and end what is over.

Low stock is raised in the movement's own transaction (`insights.alerts.listen`); the hourly check finds it where no
stock moved (a new threshold, an import from before alerts), with predicted depletion and unusual activity. Depletion is
predicted by the forecasts per warehouse, and by a moving average for products that have none yet.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from insights import depletion_watch, facts, reasons, sales
from insights.alerts import NOT_SOLD, available_again, end_alerts, named, raise_alerts
from insights.depletion_watch import Forecasts
from insights.models import OPEN, Alert, AlertSettings, AlertType
from insights.queries_alerts import daily_rates, lead_times_days, spikes, write_offs
from insights.reasons import Reason
from inventory.models import Product, StockLevel
from inventory.queries import low_levels, low_stock_products
from inventory.services.levels import hold
from workbox.core import events
from workbox.core.db import transact

CHUNK = 100
UNUSUAL_KEPT = timedelta(days=3)
ReasonOf = Callable[[Product], Reason | None]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What predicted depletion is worked out from, besides the stock: units a day and lead times, per product id."""

    today: date
    rates: Mapping[int, Decimal]
    lead_times: Mapping[int, int]
    within_days: int

    def reason(self, product: Product, *, within_days: int | None = None) -> Reason | None:
        """The product's, if it will be used up in time."""
        return reasons.depletion(
            named(product),
            available=product.stock.available,
            daily_units=self.rates.get(product.pk, reasons.ZERO),
            today=self.today,
            within_days=within_days or self.within_days,
            lead_time_days=self.lead_times.get(product.pk, 0),
        )


def check() -> dict[str, int]:
    """Every reason that holds now has its open alert; returns how many facts were told per kind of alert."""
    sales.catch_up()
    settings = AlertSettings.current()
    told: dict[str, int] = {}
    if settings.low_stock_enabled:
        low = low_stock_products().order_by("id").values_list("id", flat=True)
        told[AlertType.LOW_STOCK.value] = _raise_for(low, _low_stock) + _raise_low_places()
    if settings.predicted_depletion_enabled:
        outlook, forecasts = _outlook(settings), depletion_watch.forecasts()
        unforeseen = sorted(outlook.rates.keys() - forecasts.product_ids)
        told[AlertType.PREDICTED_DEPLETION.value] = _raise_for(unforeseen, outlook.reason) + _raise_foreseen(
            forecasts, settings
        )
    if settings.unusual_activity_enabled:
        told[AlertType.UNUSUAL_ACTIVITY.value] = sum(
            _raise_for(sorted(found), lambda product, found=found: found.get(product.pk))  # type: ignore[misc]  # a default binds it
            for found in _unusual()
        )
    return told


def auto_resolve() -> int:
    """Open alerts whose reason no longer holds are resolved; returns how many."""
    sales.catch_up()
    settings = AlertSettings.current()
    outlook, forecasts = _outlook(settings), depletion_watch.forecasts()
    product_ids = Alert.objects.filter(OPEN).order_by("product_id").values_list("product_id", flat=True).distinct()
    return sum(
        transact(lambda ids=ids: _end_of(ids, settings, outlook, forecasts))  # type: ignore[misc]  # a default binds it
        for ids in _chunks(product_ids)
    )


def _raise_for(product_ids: Iterable[int], reason_of: ReasonOf) -> int:
    """Raise what `reason_of` finds wrong with each product, a hundred at a time with their stock standing still."""

    def work(ids: Sequence[int]) -> int:
        found = [reason for product in _held(ids) if (reason := reason_of(product)) is not None]
        told = raise_alerts(found) if found else []
        events.append(told)
        return len(told)

    return sum(transact(lambda ids=ids: work(ids)) for ids in _chunks(product_ids))  # type: ignore[misc]  # a default binds it


def _chunks(product_ids: Iterable[int]) -> Iterator[list[int]]:
    ids = list(product_ids)
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))


def _held(ids: Sequence[int]) -> Iterator[Product]:
    """Products on sale of which stock is kept, with their stock, which stands still from here."""
    hold(ids)
    rows = Product.objects.filter(id__in=ids, is_active=True, is_stocked=True).select_related("stock")
    return iter(rows.order_by("id"))


def _low_stock(product: Product) -> Reason | None:
    return reasons.low_stock(named(product), available=product.stock.available, threshold=product.reorder_threshold)


def _raise_low_places() -> int:
    """The same for warehouses that have a threshold of their own for a product."""
    rows = low_levels().order_by("product_id").values_list("product_id", flat=True).distinct()

    def work(ids: Sequence[int]) -> int:
        products = {product.pk: product for product in _held(ids)}
        levels = low_levels().filter(product_id__in=list(products)).select_related("warehouse").order_by("id")
        found = [reason for one in levels if (reason := _low_in(products[one.product_id], one)) is not None]
        told = raise_alerts(found) if found else []
        events.append(told)
        return len(told)

    return sum(transact(lambda ids=ids: work(ids)) for ids in _chunks(rows))  # type: ignore[misc]  # a default binds it


def _low_in(product: Product, level: StockLevel) -> Reason | None:
    return reasons.low_stock(
        named(product),
        available=level.available,
        threshold=level.reorder_threshold or reasons.ZERO,
        place=(level.warehouse_id, level.warehouse.name),
    )


def _outlook(settings: AlertSettings) -> Outlook:
    today = facts.today()
    rates = daily_rates(today)
    return Outlook(today, rates, lead_times_days(rates), settings.alert_threshold_days)


def _raise_foreseen(forecasts: Forecasts, settings: AlertSettings) -> int:
    """Predicted depletion by the forecasts: looked for without a lock, told of with the stock standing still."""

    def work(ids: Sequence[int], place: int) -> int:
        products = {product.pk: product for product in _held(ids)}
        found = forecasts.reasons(list(products.values()), place, assumed_days=settings.alert_threshold_days)
        told = raise_alerts(list(found.values())) if found else []
        events.append(told)
        return len(told)

    return sum(
        transact(lambda ids=ids, place=place: work(ids, place))  # type: ignore[misc]  # a default binds it
        for place in forecasts.places
        for ids in _chunks(forecasts.candidates(place, assumed_days=settings.alert_threshold_days))
    )


def _unusual() -> Iterator[dict[int, Reason]]:
    """What happened lately and is unusual: reasons per product, of one rule after the other."""
    yield spikes(facts.today())
    yield from write_offs(datetime.now(UTC))


def _end_of(ids: Sequence[int], settings: AlertSettings, outlook: Outlook, forecasts: Forecasts) -> int:
    products = {product.pk: product for product in _held(ids)}
    ended: dict[str, list[Alert]] = {}
    found = list(Alert.objects.filter(OPEN, product_id__in=ids).select_related("product").order_by("id"))
    holding = _foreseen(found, products, settings, forecasts)
    for alert in found:
        foreseen = alert.alert_type == AlertType.PREDICTED_DEPLETION and (
            alert.warehouse_id is not None or alert.product_id in forecasts.product_ids
        )
        product = products.get(alert.product_id)
        if foreseen and product is not None and settings.is_enabled(alert.alert_type):
            note = "" if alert.subject in holding else _why_no_longer_foreseen(alert, product)
        else:
            note = _why_over(alert, product, settings, outlook)
        if note:
            ended.setdefault(note, []).append(alert)
    told = [event for note, alerts in ended.items() for event in end_alerts(alerts, note=note)]
    events.append(told)
    return len(told)


def _foreseen(
    alerts: Sequence[Alert], products: Mapping[int, Product], settings: AlertSettings, forecasts: Forecasts
) -> set[str]:
    """The subjects of these alerts of which the forecasts still say so."""
    by_place: dict[int, set[int]] = {}
    for one in alerts:
        if one.alert_type == AlertType.PREDICTED_DEPLETION and one.warehouse_id and one.product_id in products:
            by_place.setdefault(one.warehouse_id, set()).add(one.product_id)
    return {
        reason.subject
        for place, ids in by_place.items()
        for reason in forecasts.reasons(
            [products[one] for one in sorted(ids)], place, assumed_days=settings.alert_threshold_days
        ).values()
    }


def _why_no_longer_foreseen(alert: Alert, product: Product) -> str:
    if alert.warehouse_id is None:
        return "It is told of per warehouse now, by the forecast."
    level = StockLevel.objects.filter(product_id=product.pk, warehouse_id=alert.warehouse_id).first()
    return "It has run out." if level is None or level.available <= 0 else "The stock lasts longer again."


def _why_over(alert: Alert, product: Product | None, settings: AlertSettings, outlook: Outlook) -> str:
    """In words why the alert is over; empty while its reason holds."""
    if product is None:
        return NOT_SOLD
    if not settings.is_enabled(alert.alert_type):
        return "Alerts of this kind are switched off."
    available = product.stock.available
    if alert.alert_type == AlertType.LOW_STOCK:
        return _why_no_longer_low(alert, product)
    if alert.alert_type == AlertType.PREDICTED_DEPLETION:
        limit = int(settings.beyond(Decimal(outlook.within_days)))
        if outlook.reason(product, within_days=limit) is not None:
            return ""
        return "The stock lasts longer again." if available > 0 else "It has run out."
    return "That was some days ago." if alert.last_seen_at < datetime.now(UTC) - UNUSUAL_KEPT else ""


def _why_no_longer_low(alert: Alert, product: Product) -> str:
    """The same for low stock, of the product as a whole or in the alert's warehouse."""
    if alert.warehouse_id is None:
        available = product.stock.available
        return available_again(available) if available > product.reorder_threshold else ""
    level = StockLevel.objects.filter(product_id=alert.product_id, warehouse_id=alert.warehouse_id).first()
    if level is None or level.reorder_threshold is None:
        return "This warehouse has no threshold of its own any more."
    return available_again(level.available) if level.available > level.reorder_threshold else ""
