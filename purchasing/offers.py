"""Pure arithmetic of buying: how much has to be ordered, what it costs at the door, and which offer is the best.

No database: prices and quantities in, numbers and sentences out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_CEILING, Decimal

from workbox.core.numbers import MONEY_PLACES, plain

# Offers at most this much dearer per unit than the cheapest are close: then the faster one is the better one.
CLOSE_PERCENT = Decimal(3)
HUNDRED = Decimal(100)
_MONEY_STEP = Decimal(1).scaleb(-MONEY_PLACES)
_TENTH = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class Terms:
    """A vendor's price for a product with all that belongs to it; `breaks` are (from quantity, unit price)."""

    price_id: int
    vendor_id: int
    vendor_name: str
    unit_price: Decimal
    breaks: tuple[tuple[Decimal, Decimal], ...]
    minimum_order_quantity: Decimal
    pack_quantity: Decimal
    shipping_cost: Decimal
    ships_per_unit: bool
    lead_time_days: int
    valid_from: datetime


@dataclass(frozen=True, slots=True)
class Offer:
    """Terms worked out for a quantity. `landed_cost` is goods and shipping for all of `order_quantity`."""

    terms: Terms
    order_quantity: Decimal
    quantity_note: str
    unit_price: Decimal
    shipping_cost: Decimal
    landed_cost: Decimal
    landed_unit_cost: Decimal
    measured_lead_time_days: Decimal | None
    is_recommended: bool = False
    reason: str = ""

    @property
    def days(self) -> Decimal:
        """How long it takes: as measured, or as quoted while nothing was measured."""
        measured = self.measured_lead_time_days
        return Decimal(self.terms.lead_time_days) if measured is None else measured


def order_quantity(wanted: Decimal, terms: Terms) -> Decimal:
    """The smallest quantity that covers `wanted` and the vendor delivers: at least the minimum, in full packs."""
    least = max(wanted, terms.minimum_order_quantity)
    packs = (least / terms.pack_quantity).to_integral_value(rounding=ROUND_CEILING)
    return packs * terms.pack_quantity


def unit_price_for(quantity: Decimal, terms: Terms) -> Decimal:
    """The price of one unit when so many are ordered: that of the highest break reached."""
    reached = [one for one in terms.breaks if one[0] <= quantity]
    return max(reached)[1] if reached else terms.unit_price


def work_out(terms: Terms, wanted: Decimal, *, measured_lead_time_days: Decimal | None) -> Offer:
    """What the vendor delivers for `wanted` units, and what it costs at the door."""
    quantity = order_quantity(wanted, terms)
    price = unit_price_for(quantity, terms)
    shipping = terms.shipping_cost * quantity if terms.ships_per_unit else terms.shipping_cost
    landed = price * quantity + shipping
    return Offer(
        terms=terms,
        order_quantity=quantity,
        quantity_note=_note(wanted, quantity, terms),
        unit_price=price,
        shipping_cost=shipping.quantize(_MONEY_STEP),
        landed_cost=landed.quantize(_MONEY_STEP),
        landed_unit_cost=(landed / quantity).quantize(_MONEY_STEP),
        measured_lead_time_days=measured_lead_time_days,
    )


def _note(wanted: Decimal, quantity: Decimal, terms: Terms) -> str:
    if quantity == wanted:
        return ""
    why = []
    if terms.minimum_order_quantity > wanted:
        why.append(f"the minimum order of {plain(terms.minimum_order_quantity)}")
    if quantity != max(wanted, terms.minimum_order_quantity):
        why.append(f"full packs of {plain(terms.pack_quantity)}")
    return f"Rounded up from {plain(wanted)} to {plain(quantity)}: {' and '.join(why)}."


def compare(offers: Sequence[Offer]) -> list[Offer]:
    """The offers by landed cost per unit, each with its reason in a sentence; exactly one is recommended.

    The rule: the cheapest landed cost per unit; among those within CLOSE_PERCENT of it the fastest.
    """
    ranked = sorted(offers, key=lambda one: (one.landed_unit_cost, one.days, one.terms.vendor_id))
    if not ranked:
        return []
    cheapest = ranked[0]
    limit = cheapest.landed_unit_cost * (HUNDRED + CLOSE_PERCENT) / HUNDRED
    close = [one for one in ranked if one.landed_unit_cost <= limit]
    best = min(close, key=lambda one: (one.days, one.landed_unit_cost, one.terms.vendor_id))
    alone = len(ranked) == 1
    return [
        replace(one, is_recommended=one is best, reason=_reason(one, best=best, cheapest=cheapest, alone=alone))
        for one in ranked
    ]


def _reason(offer: Offer, *, best: Offer, cheapest: Offer, alone: bool) -> str:
    cost = plain(offer.landed_unit_cost)
    if alone:
        return f"The only offer: {cost} per unit at the door."
    if offer is best:
        if offer is cheapest:
            return f"Cheapest at the door: {cost} per unit."
        return (
            f"{_dearer(offer, cheapest)} than {cheapest.terms.vendor_name}, but"
            f" {plain(cheapest.days - offer.days)} days faster."
        )
    if offer.landed_unit_cost > best.landed_unit_cost:
        return f"{_dearer(offer, best)} than {best.terms.vendor_name}."
    if offer.landed_unit_cost == best.landed_unit_cost:
        return f"Costs as much as {best.terms.vendor_name} and is not faster."
    return f"Cheaper than {best.terms.vendor_name}, but {plain(offer.days - best.days)} days slower."


def _dearer(offer: Offer, other: Offer) -> str:
    more = offer.landed_unit_cost - other.landed_unit_cost
    if more == 0:
        return "No dearer per unit"
    if other.landed_unit_cost == 0:
        return f"{plain(more)} dearer per unit"
    percent = more / other.landed_unit_cost * HUNDRED
    return f"{plain(percent.quantize(_TENTH)) if percent >= _TENTH else 'Less than 0.1'} % dearer per unit"
