"""Service: what to order today, from whom and until when; and how suggestions become draft purchase orders.

Suggestions are worked out product by product and warehouse by warehouse from the stored curves and the supply of the
moment, and rewritten in place.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np
from django.core.exceptions import ValidationError

from insights import curves, facts
from insights.curves import Curves
from insights.facts import ZERO
from insights.forecasting import (
    BEYOND_HORIZON,
    Depletion,
    Forecast,
    LeadTimes,
    demand_over,
    make_terms,
    plan,
    predict_depletion,
    stockout_probability,
)
from insights.forecasting import curve as arithmetic
from insights.forecasting.replenishment import Plan
from insights.models import PlanningSettings, ServiceLevel, Suggestion
from insights.panels import open_warehouses
from insights.supply import Supply, as_lead_times, floats, read_supply
from inventory.models import Product
from purchasing.offers import Offer, Terms, compare, order_quantity, work_out
from purchasing.services.orders import LINES_MAX, PurchaseItem, create_purchase_order
from workbox.core import walls
from workbox.core.db import in_parts, transact, transactional
from workbox.core.errors import Invalid, NotFound
from workbox.core.numbers import MONEY_PLACES, plain

PRODUCTS_PER_STEP = 500
SHORTAGE_GRID = tuple((step + 0.5) / 20 for step in range(20))
NOTE = "From a replenishment suggestion"
_UNIT_STEP, _MONEY_STEP = Decimal("0.001"), Decimal(1).scaleb(-MONEY_PLACES)
_SHARE_STEP, _DAY_STEP = Decimal("0.0001"), Decimal("0.01")
_WRITTEN = (
    "vendor", "quantity", "unit_price", "available", "position", "reorder_point", "safety_stock", "order_up_to",
    "daily_units", "service_level", "lead_time_days", "stockout_probability", "depletion_on", "order_by",
    "margin_at_risk", "offers", "reason", "newest_line", "updated_at",
)  # fmt: skip


class SuggestionUnknown(NotFound):
    """There is no such suggestion: it never was, was ordered, or is no longer needed."""

    code = "suggestion_unknown"


@dataclass(frozen=True, slots=True)
class _Asked:
    """One product at one vendor: `row` is the product's row among the curves of the step."""

    product: Product
    row: int
    terms: Terms


@dataclass(frozen=True, slots=True)
class _Worked:
    """What the arithmetic says of every product at every vendor."""

    plan: Plan
    lead: LeadTimes
    depletion: Depletion
    probability: Any
    shortage: Any
    daily: Any
    levels: Sequence[Decimal]


@dataclass(frozen=True, slots=True)
class Chosen:
    """A suggestion to be ordered; without a quantity or a vendor as suggested."""

    suggestion_id: int
    quantity: Decimal | None = None
    vendor_id: int | None = None


# ---- working them out ------------------------------------------------------------------------------------------------
def refresh(*, tick: Callable[[int], None] = lambda _done: None) -> int:
    """Every suggestion is what curves, stock and orders say now; returns how many there are."""
    run = curves.current_run()
    if run is None:
        return 0
    PlanningSettings.objects.get_or_create(pk=PlanningSettings.ROW)
    began, done = datetime.now(UTC), 0
    for place in open_warehouses():
        found = curves.read(run.pk, None, [place], start_on=facts.today())
        for part in in_parts(found.product_ids, PRODUCTS_PER_STEP):
            transact(lambda part=part, found=found, place=place: _suggest(part, found, place))  # type: ignore[misc]  # a default binds it
            done += len(part)
            tick(done)
    Suggestion.objects.filter(updated_at__lt=began).delete()
    return Suggestion.objects.count()


def _suggest(product_ids: Sequence[int], found: Curves, place: int) -> None:
    """These products' suggestions for the warehouse are rewritten, made or gone. Expects a transaction.

    Of two refreshes at once (by the hour and after a refit) the planning row lets one write a step after the other:
    two who look for rows that are not there yet hold nothing, and would make the same suggestion twice.
    """
    PlanningSettings.objects.select_for_update().get(pk=PlanningSettings.ROW)
    held = {one.product_id: one for one in _held(product_ids, place)}
    products = Product.objects.filter(id__in=product_ids, is_active=True, is_stocked=True).in_bulk()
    supply = read_supply(product_ids, [place], with_drafts=True)
    rows = found.rows_of()
    asked = [
        _Asked(products[one], rows[one], terms)
        for one in product_ids
        if one in products
        for terms in supply.terms.get(one, ())
    ]
    made: dict[int, Suggestion] = {}
    if asked:
        forecast = found.forecast.rows([one.row for one in asked])
        made = _best(asked, _work_out(asked, forecast, supply), supply, place)
    now = datetime.now(UTC)
    gone = [one.pk for product_id, one in held.items() if product_id not in made]
    Suggestion.objects.filter(id__in=gone).delete()
    fresh, changed = [], []
    for product_id, one in made.items():
        one.created_at, one.updated_at = now, now
        if product_id in held:
            one.pk, one.created_at = held[product_id].pk, held[product_id].created_at
            changed.append(one)
        else:
            fresh.append(one)
    Suggestion.objects.bulk_create(fresh, batch_size=200)
    if changed:
        Suggestion.objects.bulk_update(changed, _WRITTEN, batch_size=100)


def _held(product_ids: Sequence[int], place: int) -> list[Suggestion]:
    rows = Suggestion.objects.select_for_update().filter(product_id__in=product_ids, warehouse_id=place)
    return list(rows.order_by("id"))


def _work_out(asked: Sequence[_Asked], forecast: Forecast, supply: Supply) -> _Worked:
    settings = PlanningSettings.current()
    today = facts.today()
    ids = [one.product.pk for one in asked]
    lead = as_lead_times(supply.times[one.terms.vendor_id, one.product.pk] for one in asked)
    available = floats(supply.available, ids)
    due = np.array(
        [
            float(supply.due(one, until=today + timedelta(days=int(days)), today=today))
            for one, days in zip(ids, lead.mean, strict=True)
        ]
    ) + floats(supply.in_transit, ids)
    levels = service_levels([one.product for one in asked], settings)
    position = np.array([float(supply.position(one)) for one in ids])
    return _Worked(
        plan=_plans(asked, forecast, position, lead, levels, settings),
        lead=lead,
        depletion=predict_depletion(forecast, available, supply.arrivals(ids, today=today)),
        probability=stockout_probability(forecast, lead, available, due),
        shortage=_shortage(forecast, lead, available + due, float(settings.review_days)),
        daily=forecast.mean(28) / 28,
        levels=levels,
    )


def _plans(
    asked: Sequence[_Asked],
    forecast: Forecast,
    position: Any,
    lead: LeadTimes,
    levels: Sequence[Decimal],
    settings: PlanningSettings,
) -> Plan:
    """One plan per row, worked out together for rows that share a service level."""
    parts = {name: np.zeros(len(asked)) for name in Plan.__slots__}
    most = max(len(one.terms.breaks) for one in asked) + 1
    starts = np.full((len(asked), most), np.inf)
    prices = np.zeros((len(asked), most))
    for row, one in enumerate(asked):
        for place, (start, price) in enumerate([(ZERO, one.terms.unit_price), *sorted(one.terms.breaks)]):
            starts[row, place], prices[row, place] = float(start), float(price)
    minimum = np.array([float(one.terms.minimum_order_quantity) for one in asked])
    pack = np.array([float(one.terms.pack_quantity) for one in asked])
    for level in sorted(set(levels)):
        rows = np.array([row for row, one in enumerate(levels) if one == level])
        terms = make_terms(
            len(rows), minimum=minimum[rows], pack=pack[rows], break_from=starts[rows], break_price=prices[rows]
        )
        found = plan(
            forecast.rows(rows),
            position[rows],
            LeadTimes(lead.mean[rows], lead.sd[rows], lead.source[rows]),
            terms,
            service_level=float(level),
            review_days=float(settings.review_days),
            cycle_days=float(settings.cycle_days),
        )
        for name, values in parts.items():
            values[rows] = getattr(found, name)
    return Plan(**parts)


def _shortage(forecast: Forecast, lead: LeadTimes, supply: Any, review_days: float) -> Any:
    """Units that are probably missing until an order of the next review arrives: the mean over twenty quantiles."""
    over = demand_over(forecast, lead, review_days=review_days)
    missing = np.zeros(len(forecast.rate))
    for q in SHORTAGE_GRID:
        demand = arithmetic.quantile(
            q, mean=over.mean, dispersion=over.dispersion, uplift=forecast.uplift, is_whole=forecast.is_whole
        )
        missing += np.maximum(demand - supply, 0.0)
    return missing / len(SHORTAGE_GRID)


def service_levels(products: Sequence[Product], settings: PlanningSettings) -> list[Decimal]:
    """The product's own service level, else its category's, else the shop's."""
    own = {(one.product_id, one.category_id): one.service_level for one in ServiceLevel.objects.all()}
    return [own.get((one.pk, None)) or own.get((None, one.category_id)) or settings.service_level for one in products]


# ---- which vendor ----------------------------------------------------------------------------------------------------
def _best(asked: Sequence[_Asked], worked: _Worked, supply: Supply, place: int) -> dict[int, Suggestion]:
    """Product → its suggestion, of the vendor purchasing recommends, where that vendor's plan says to order."""
    of_product: dict[int, list[int]] = defaultdict(list)
    for row, one in enumerate(asked):
        of_product[one.product.pk].append(row)
    found = {}
    for product_id, rows in of_product.items():
        if not any(worked.plan.quantity[row] > 0 for row in rows):
            continue
        row_of = {asked[row].terms.vendor_id: row for row in rows}
        offers = compare([_offer(asked[row], row, worked, supply) for row in rows])
        best = next(one for one in offers if one.is_recommended)
        row = row_of[best.terms.vendor_id]
        if worked.plan.quantity[row] > 0:
            found[product_id] = _suggestion(asked[row], row, worked, supply, place, offers, row_of)
    return found


def _offer(one: _Asked, row: int, worked: _Worked, supply: Supply) -> Offer:
    quantity = worked.plan.quantity[row]
    missing = max(worked.plan.order_up_to[row] - float(supply.position(one.product.pk)), 0.001)
    wanted = _exact(quantity if quantity > 0 else missing, _UNIT_STEP)
    time = supply.times[one.terms.vendor_id, one.product.pk]
    return work_out(one.terms, order_quantity(wanted, one.terms), measured_lead_time_days=time.measured_days)


def _suggestion(
    one: _Asked,
    row: int,
    worked: _Worked,
    supply: Supply,
    place: int,
    offers: Sequence[Offer],
    row_of: dict[int, int],
) -> Suggestion:
    offer = next(this for this in offers if this.is_recommended)
    plan_, today = worked.plan, facts.today()
    day = int(worked.depletion.p10[row])
    margin = max(one.product.price - offer.landed_unit_cost, ZERO)
    found = Suggestion(
        product=one.product,
        warehouse_id=place,
        vendor_id=one.terms.vendor_id,
        quantity=offer.order_quantity,
        unit_price=offer.unit_price,
        available=supply.available.get(one.product.pk, ZERO),
        position=supply.position(one.product.pk),
        reorder_point=_exact(plan_.reorder_point[row], _UNIT_STEP),
        safety_stock=_exact(plan_.safety_stock[row], _UNIT_STEP),
        order_up_to=_exact(plan_.order_up_to[row], _UNIT_STEP),
        daily_units=_exact(worked.daily[row], _UNIT_STEP),
        service_level=worked.levels[row],
        lead_time_days=_exact(worked.lead.mean[row], _DAY_STEP),
        stockout_probability=_exact(worked.probability[row], _SHARE_STEP),
        depletion_on=None if day >= BEYOND_HORIZON else today + timedelta(days=day - 1),
        order_by=_order_by(day, worked.lead.mean[row], today),
        margin_at_risk=_exact(float(margin) * worked.shortage[row], _MONEY_STEP),
        offers=[_offer_body(this, row_of[this.terms.vendor_id], worked, today) for this in offers],
        newest_line=supply.newest_line.get(one.product.pk, 0),
    )
    found.reason = _reason(found)
    return found


def _order_by(day: int, lead_days: float, today: date) -> date:
    """The last day on which what is ordered arrives before the stock is gone with a chance of one in ten."""
    return max(today, today + timedelta(days=day - 1 - int(np.ceil(lead_days))))


def _offer_body(offer: Offer, row: int, worked: _Worked, today: date) -> dict[str, Any]:
    return {
        "vendor_id": offer.terms.vendor_id,
        "vendor_name": offer.terms.vendor_name,
        "quantity": float(offer.order_quantity),
        "unit_price": float(offer.unit_price),
        "landed_unit_cost": float(offer.landed_unit_cost),
        "landed_cost": float(offer.landed_cost),
        "minimum_order_quantity": float(offer.terms.minimum_order_quantity),
        "pack_quantity": float(offer.terms.pack_quantity),
        "lead_time_days": round(float(worked.lead.mean[row]), 2),
        "lead_time_source": str(worked.lead.source[row]),
        "order_by": _order_by(int(worked.depletion.p10[row]), worked.lead.mean[row], today).isoformat(),
        "is_due": bool(worked.plan.quantity[row] > 0),
        "is_recommended": offer.is_recommended,
        "reason": offer.reason,
    }


def _reason(one: Suggestion) -> str:
    rate = one.daily_units.quantize(_DAY_STEP, ROUND_HALF_UP)
    coming = one.position - one.available
    level = (one.service_level * 100).normalize()
    return (
        f"{plain(one.available)} available, {plain(coming)} to come; {plain(rate)} are sold a day and an order takes "
        f"{plain(one.lead_time_days)} days: at or below {plain(one.reorder_point)} it is ordered, so that it lasts "
        f"with {plain(level)} %."
    )


def _exact(value: Any, step: Decimal) -> Decimal:
    return Decimal(repr(float(value))).quantize(step, ROUND_HALF_UP)


# ---- ordering them ---------------------------------------------------------------------------------------------------
@transactional
def order_suggestions(chosen: Sequence[Chosen]) -> list[int]:
    """Draft purchase orders for these suggestions, one per vendor and warehouse; the suggestions are gone.

    Of two who order the same suggestion one gets SuggestionUnknown, and nothing is ordered twice. Raises
    SuggestionUnknown, Invalid (twice the same, a vendor who made no offer), and what `create_purchase_order` raises.
    """
    ids = [one.suggestion_id for one in chosen]
    if not ids or len(set(ids)) != len(ids):
        what = "choose at least one suggestion" if not ids else "a suggestion is named twice"
        raise Invalid(f"suggestions: {what}.", fields={"suggestions": [what]})
    rows = walls.within(Suggestion.objects.select_for_update().filter(id__in=ids), "warehouse_id")
    held = {one.pk: one for one in rows.order_by("id")}
    missing = [one for one in ids if one not in held]
    if missing:
        raise SuggestionUnknown(
            f"There is no suggestion {missing[0]}: it was ordered meanwhile, or is no longer needed.",
            fields={"suggestions": [f"no suggestion {one}" for one in missing]},
        )
    groups: dict[tuple[int, int], list[PurchaseItem]] = defaultdict(list)
    for one in chosen:
        suggestion = held[one.suggestion_id]
        quantity, vendor_id = _as_chosen(one, suggestion)
        groups[vendor_id, suggestion.warehouse_id].append(PurchaseItem(suggestion.product_id, quantity))
    made = [
        create_purchase_order(vendor_id, part, warehouse_id=place, notes=NOTE).pk
        for (vendor_id, place), items in sorted(groups.items(), key=lambda group: group[0])
        for part in in_parts(items, LINES_MAX)
    ]
    Suggestion.objects.filter(id__in=ids).delete()
    return made


def _as_chosen(one: Chosen, suggestion: Suggestion) -> tuple[Decimal, int]:
    """How much of it and from whom: as edited, else as suggested (or as the other vendor offered)."""
    if one.vendor_id is None or one.vendor_id == suggestion.vendor_id:
        return one.quantity or suggestion.quantity, suggestion.vendor_id
    offer = next((this for this in suggestion.offers if this["vendor_id"] == one.vendor_id), None)
    if offer is None:
        what = f"vendor {one.vendor_id} made no offer for it"
        raise Invalid(f"Suggestion {suggestion.pk}: {what}.", fields={"vendor_id": [what]})
    return one.quantity or _exact(offer["quantity"], _UNIT_STEP), one.vendor_id


# ---- settings --------------------------------------------------------------------------------------------------------
@transactional
def change_planning(changes: Mapping[str, Any]) -> PlanningSettings:
    """The shop's planning settings with these values; they count from the next refresh on. Raises Invalid."""
    PlanningSettings.objects.get_or_create(pk=PlanningSettings.ROW)
    found = PlanningSettings.objects.select_for_update().get(pk=PlanningSettings.ROW)
    for name, value in changes.items():
        setattr(found, name, value)
    _check(found)
    found.save()
    return found


@transactional
def set_service_level(level: Decimal | None, *, product_id: int | None = None, category_id: int | None = None) -> None:
    """The product's or category's own service level; None: it has none any more. Raises Invalid."""
    subject = {"product_id": product_id, "category_id": category_id}
    if level is None:
        ServiceLevel.objects.filter(**subject).delete()
        return
    # The planning row lets one of two who give the same thing its first level look after the other has written.
    PlanningSettings.objects.get_or_create(pk=PlanningSettings.ROW)
    PlanningSettings.objects.select_for_update().get(pk=PlanningSettings.ROW)
    found = ServiceLevel.objects.select_for_update().filter(**subject).first() or ServiceLevel(**subject)
    found.service_level = level
    _check(found)
    found.save()


def _check(row: PlanningSettings | ServiceLevel) -> None:
    try:
        row.clean_fields()
    except ValidationError as error:
        name, messages = next(iter(error.message_dict.items()))
        raise Invalid(f"{name}: {messages[0]}", fields=error.message_dict) from error
