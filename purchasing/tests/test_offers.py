"""The arithmetic of offers: breaks, packs, minimum orders, landed cost, and which offer is recommended."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from purchasing.offers import Offer, Terms, compare, order_quantity, unit_price_for, work_out

pytestmark = pytest.mark.once

D = Decimal
PLAIN = Terms(
    price_id=1,
    vendor_id=1,
    vendor_name="Northwind",
    unit_price=D("10"),
    breaks=(),
    minimum_order_quantity=D(1),
    pack_quantity=D(1),
    shipping_cost=D(0),
    ships_per_unit=False,
    lead_time_days=7,
    valid_from=datetime(2026, 1, 1, tzinfo=UTC),
)


def offer(vendor_id: int, price: str, days: int = 7, *, measured: str | None = None) -> Offer:
    terms = replace(PLAIN, vendor_id=vendor_id, vendor_name=f"V{vendor_id}", unit_price=D(price), lead_time_days=days)
    return work_out(terms, D(1), measured_lead_time_days=None if measured is None else D(measured))


@pytest.mark.parametrize(
    ("wanted", "minimum", "pack", "ordered"),
    [
        ("5", "1", "1", "5"),
        ("5", "10", "1", "10"),
        ("5", "10", "12", "12"),
        ("12", "10", "12", "12"),
        ("13", "10", "12", "24"),
        ("0.2", "1", "0.25", "1"),
        ("1.1", "1", "0.25", "1.25"),
    ],
)
def test_what_is_ordered_covers_the_need_the_minimum_and_full_packs(
    wanted: str, minimum: str, pack: str, ordered: str
) -> None:
    terms = replace(PLAIN, minimum_order_quantity=D(minimum), pack_quantity=D(pack))
    assert order_quantity(D(wanted), terms) == D(ordered)


def test_rounding_up_is_told_and_nothing_is_told_without() -> None:
    terms = replace(PLAIN, minimum_order_quantity=D(10), pack_quantity=D(12))
    assert (
        work_out(terms, D(5), measured_lead_time_days=None).quantity_note
        == "Rounded up from 5 to 12: the minimum order of 10 and full packs of 12."
    )
    assert work_out(terms, D(24), measured_lead_time_days=None).quantity_note == ""


@pytest.mark.parametrize(("quantity", "price"), [("9", "10"), ("10", "9"), ("99", "9"), ("100", "8"), ("1000", "8")])
def test_the_highest_break_reached_sets_the_price(quantity: str, price: str) -> None:
    terms = replace(PLAIN, breaks=((D(100), D(8)), (D(10), D(9))))
    assert unit_price_for(D(quantity), terms) == D(price)


def test_shipping_lands_on_the_line_or_on_every_unit() -> None:
    per_line = work_out(replace(PLAIN, shipping_cost=D(6)), D(3), measured_lead_time_days=None)
    assert (per_line.landed_cost, per_line.landed_unit_cost) == (D(36), D(12))
    per_unit = work_out(replace(PLAIN, shipping_cost=D(6), ships_per_unit=True), D(3), measured_lead_time_days=None)
    assert (per_unit.shipping_cost, per_unit.landed_cost, per_unit.landed_unit_cost) == (D(18), D(48), D(16))


@pytest.mark.parametrize(
    ("offers", "ranked", "best"),
    [
        ([offer(1, "10"), offer(2, "9")], [2, 1], 2),
        ([offer(1, "100", 9), offer(2, "103", 2)], [1, 2], 2),
        ([offer(1, "100", 9), offer(2, "103.01", 2)], [1, 2], 1),
        ([offer(1, "100", 5), offer(2, "102", 5)], [1, 2], 1),
        ([offer(1, "100", 9), offer(2, "101", 2, measured="12")], [1, 2], 1),
        ([offer(1, "100", 9, measured="1.5"), offer(2, "101", 2)], [1, 2], 1),
        ([offer(2, "100"), offer(1, "100")], [1, 2], 1),
        ([offer(1, "0", 9), offer(2, "0", 2), offer(3, "1", 1)], [2, 1, 3], 2),
    ],
)
def test_the_cheapest_is_recommended_unless_a_close_one_is_faster(
    offers: list[Offer], ranked: list[int], best: int
) -> None:
    found = compare(offers)
    assert [one.terms.vendor_id for one in found] == ranked
    assert [one.terms.vendor_id for one in found if one.is_recommended] == [best]


def test_every_offer_says_why_in_one_sentence() -> None:
    found = compare([offer(1, "100", 9), offer(2, "102", 2), offer(3, "120", 1)])
    assert [one.reason for one in found] == [
        "Cheaper than V2, but 7 days slower.",
        "2 % dearer per unit than V1, but 7 days faster.",
        "17.6 % dearer per unit than V2.",
    ]
    assert compare([offer(1, "4.5")])[0].reason == "The only offer: 4.5 per unit at the door."
    assert compare([offer(1, "4.5"), offer(2, "9")])[0].reason == "Cheapest at the door: 4.5 per unit."
    assert compare([]) == []
