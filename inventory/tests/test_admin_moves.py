"""Transfers and counts in the admin: made on a form, moved on by dialogs, through the services."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from accounts.models import User
from inventory.models import Barcode, Product, StockCount, StockLevel, StockOperation, Transfer, Warehouse
from inventory.services import counts, transfers
from inventory.services.counts import Found

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture
def lamp(make_product: Callable[..., Product]) -> Product:
    """Ten lamps in the main store."""
    return make_product("Lamp", sku="LAMP", stock=10)


@pytest.fixture
def clerk(make_user: Callable[..., User]) -> Client:
    """Who carries and counts."""
    client = Client()
    client.force_login(make_user("clerk"), backend="accounts.roles.RoleBackend")
    return client


def act(client: Client, model: str, step: str, number: int, **fields: Any) -> HttpResponse:
    path = reverse(f"admin:inventory_{model}_{step}", args=[number])
    return client.post(path, {"_form_submitted": "on", **fields}, headers={"HX-Request": "true"})


def lines(**fields: Any) -> dict[str, Any]:
    return {"lines-TOTAL_FORMS": 1, "lines-INITIAL_FORMS": 0, **fields}


def on_hand(product: Product, place: Warehouse) -> Decimal:
    return StockLevel.objects.get(product=product, warehouse=place).on_hand


def test_a_transfer_is_made_dispatched_and_completed_with_a_loss(
    clerk: Client, lamp: Product, main: Warehouse, annex: Warehouse
) -> None:
    body = {"from_warehouse": main.pk, "to_warehouse": annex.pk, "reference": "VAN-7", "notes": ""}
    form = body | lines(**{"lines-0-product": lamp.pk, "lines-0-quantity": "4"})
    assert clerk.post(reverse("admin:inventory_transfer_add"), form).status_code == 302
    made = Transfer.objects.get()
    assert (made.status, made.reference, made.created_by.username) == ("pending", "VAN-7", "clerk")
    assert "HX-Redirect" in act(clerk, "transfer", "dispatch_goods", made.pk).headers
    assert on_hand(lamp, main) == 6
    act(clerk, "transfer", "complete", made.pk, **{f"lost_{lamp.pk}": "0", f"damaged_{lamp.pk}": "1", "reason": "Wet"})
    made.refresh_from_db()
    assert (made.status, on_hand(lamp, annex)) == ("completed", 3)
    arrival = StockOperation.objects.latest("id")
    assert (arrival.actor.username, "1 × LAMP damaged: Wet" in arrival.reason) == ("clerk", True)
    page = clerk.get(reverse("admin:inventory_transfer_change", args=[made.pk])).content.decode()
    assert [word for word in ("LAMP", "Damaged", "VAN-7") if word not in page] == []


def test_what_the_service_refuses_is_shown_on_the_form(
    clerk: Client, lamp: Product, main: Warehouse, annex: Warehouse
) -> None:
    body = {"from_warehouse": main.pk, "to_warehouse": annex.pk, "reference": "", "notes": ""}
    form = body | lines(**{"lines-0-product": lamp.pk, "lines-0-quantity": "11"})
    page = clerk.post(reverse("admin:inventory_transfer_add"), form).content.decode()
    assert "Lamp (LAMP): Available: 10, Requested: 11" in page
    assert not Transfer.objects.exists()


def test_a_step_that_comes_too_late_says_so_in_the_dialog(
    clerk: Client, lamp: Product, main: Warehouse, annex: Warehouse
) -> None:
    made = transfers.create_transfer({lamp.pk: D(4)}, from_warehouse_id=main.pk, to_warehouse_id=annex.pk)
    act(clerk, "transfer", "cancel", made.id, reason="")
    page = act(clerk, "transfer", "cancel", made.id, reason="").content.decode()
    assert f"Transfer {made.id} is cancelled; it cannot be cancelled." in page
    assert on_hand(lamp, main) == 10


def test_a_reservation_names_its_transfer(clerk: Client, lamp: Product, main: Warehouse, annex: Warehouse) -> None:
    made = transfers.create_transfer({lamp.pk: D(4)}, from_warehouse_id=main.pk, to_warehouse_id=annex.pk)
    page = clerk.get(reverse("admin:inventory_reservation_changelist")).content.decode()
    assert f"Transfer {made.id}" in page


def test_a_count_is_opened_recorded_by_scan_and_closed(clerk: Client, lamp: Product, main: Warehouse) -> None:
    Barcode.objects.create(code="CARTON", product=lamp, pack_quantity=D(6))
    form = {"warehouse": main.pk, "is_blind": "on", "notes": "Shelf 4"}
    assert clerk.post(reverse("admin:inventory_stockcount_add"), form).status_code == 302
    opened = StockCount.objects.get()
    assert (opened.opened_by.username, opened.is_blind, opened.status) == ("clerk", True, "open")
    act(clerk, "stockcount", "record", opened.pk, code="CARTON", quantity="1")
    act(clerk, "stockcount", "record", opened.pk, code="LAMP", quantity="3", adds="on")
    assert opened.lines.get().counted_quantity == 9
    assert "No product has" in act(clerk, "stockcount", "record", opened.pk, code="?", quantity="3").content.decode()
    assert "HX-Redirect" in act(clerk, "stockcount", "close", opened.pk).headers
    opened.refresh_from_db()
    assert (opened.status, opened.closed_by.username, on_hand(lamp, main)) == ("closed", "clerk", 9)


def test_a_cancelled_count_offers_no_more_steps(clerk: Client, lamp: Product, main: Warehouse) -> None:
    opened = counts.open_count(main.pk)
    counts.record(opened.id, [Found(lamp.pk, D(1))])
    act(clerk, "stockcount", "cancel", opened.id)
    assert StockCount.objects.get().status == "cancelled"
    page = clerk.get(reverse("admin:inventory_stockcount_change", args=[opened.id])).content.decode()
    assert "Record" not in page
    assert on_hand(lamp, main) == 10
