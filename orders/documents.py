"""Papers of sales orders: pick list, packing slip, invoice. Rows in, the bytes of a PDF out."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

from inventory.documents import Pick, pick_list, summed
from inventory.models import Reservation
from orders.errors import IllegalTransition, OrderUnknown
from orders.models import Order, OrderLine
from orders.states import SOLD, OrderStatus
from workbox.core import walls
from workbox.core.admin import moment_text, money_text, quantity_text
from workbox.core.errors import Invalid
from workbox.core.paper import BOLD, Column, Row, Sheet
from workbox.core.papers import sender

ZERO = Decimal(0)
CENT = Decimal("0.01")
ORDERS_MAX = 100


def order_number(order_id: int) -> str:
    """What stands under the code on an order's papers: scanning it chooses the order."""
    return f"ORDER-{order_id}"


def order_pick_list(order_ids: Sequence[int]) -> bytes:
    """What is reserved for these orders, by warehouse and bin, each product once, in three statements.

    Raises Invalid for more than ORDERS_MAX, OrderUnknown. Only what lies inside the asker's walls is listed.
    """
    if len(order_ids) > ORDERS_MAX:
        raise Invalid(f"Pick at most {ORDERS_MAX} orders at once; {len(order_ids)} are chosen.")
    orders = _orders(order_ids)
    lines = OrderLine.objects.filter(order_id__in=list(orders)).order_by()
    order_of = dict(lines.values_list("id", "order_id"))
    held = walls.of(
        Reservation.objects.filter(
            holder_type=Reservation.Holder.ORDER_LINE, holder_id__in=list(order_of), quantity__gt=0
        )
    ).order_by("id")
    picks = [
        Pick(f"{name} ({code})", where, sku, product, quantity, f"#{order_of[line_id]}")
        for line_id, quantity, name, code, where, sku, product in held.values_list(
            "holder_id", "quantity", "level__warehouse__name", "level__warehouse__code", "level__bin",
            "level__product__sku", "level__product__name",
        )
    ]  # fmt: skip
    if len(orders) == 1:
        (order,) = orders.values()
        notes = " · ".join(filter(None, (_buyer(order), order.notes)))
        return pick_list(f"Pick list · {order}", summed(picks), code=order_number(order.pk), notes=notes)
    numbers = ", ".join(f"#{number}" for number in sorted(orders))
    return pick_list(f"Pick list · {len(orders)} orders", summed(picks), notes=f"Orders {numbers}")


def packing_slip(order_ids: Sequence[int]) -> bytes:
    """What the customer finds in the parcels: no prices. Raises OrderUnknown."""
    (order,) = _orders(order_ids).values()
    lines = _lines(order)
    sheet = Sheet(f"Packing slip · {order}", sender=sender(), mark=_mark(order))
    sheet.heading(code=order_number(order.pk))
    sheet.facts(_facts(order))
    sheet.table(
        [
            Column("SKU", 38), Column("Product"), Column("Ordered", 20, "right"), Column("Shipped", 20, "right", BOLD),
            Column("To follow", 20, "right"),
        ],
        (
            Row(
                [
                    line.product.sku, line.product.name, quantity_text(line.quantity),
                    quantity_text(line.shipped_quantity), quantity_text(line.quantity - line.shipped_quantity),
                ]
            )
            for line in lines
        ),
    )  # fmt: skip
    shipped = sum((line.shipped_quantity for line in lines), ZERO)
    sheet.text(f"{quantity_text(shipped)} units shipped. Thank you for your order.")
    return sheet.finish()


def invoice(order_ids: Sequence[int]) -> bytes:
    """What the customer pays, line by line, at the price of the order. Raises OrderUnknown, IllegalTransition."""
    (order,) = _orders(order_ids).values()
    if order.status not in SOLD:
        hint = "Confirm it first." if order.status == OrderStatus.PENDING else "There is nothing to pay."
        raise IllegalTransition(order.pk, order.status, "invoiced", hint=hint)
    lines = _lines(order)
    amounts = [_cents(line.unit_price * line.quantity) for line in lines]
    total = _cents(order.total_amount)
    rounding = total - sum(amounts, ZERO)  # each amount is rounded, and so is their exact sum
    sheet = Sheet(f"Invoice · {order}", sender=sender(), foot=f"Invoice of {order}")
    sheet.heading(code=order_number(order.pk))
    sheet.facts(_facts(order))
    sheet.table(
        [
            Column("SKU", 38), Column("Product"), Column("Quantity", 20, "right"), Column("Price", 26, "right"),
            Column("Amount", 30, "right"),
        ],
        [
            *(
                Row(
                    [
                        line.product.sku, line.product.name, quantity_text(line.quantity), money_text(line.unit_price),
                        money_text(amount),
                    ]
                )
                for line, amount in zip(lines, amounts, strict=True)
            ),
            *([Row(["", "", "", "Rounding", money_text(rounding)])] if rounding else []),
            Row(["", "", "", "Total", money_text(total)], strong=True),
        ],
    )  # fmt: skip
    return sheet.finish()


def _cents(amount: Decimal) -> Decimal:
    """As people round."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def _orders(order_ids: Sequence[int]) -> dict[int, Order]:
    found = walls.of(Order.objects.filter(pk__in=order_ids)).select_related("customer", "user", "warehouse")
    orders = {order.pk: order for order in found}
    missing = sorted(set(order_ids) - orders.keys())
    if missing:
        raise OrderUnknown(f"There is no order {', '.join(map(str, missing))}.")
    return orders


def _lines(order: Order) -> list[OrderLine]:
    return list(OrderLine.objects.filter(order=order).select_related("product").order_by("id"))


def _buyer(order: Order) -> str:
    return str(order.customer or order.user or "")


def _mark(order: Order) -> str:
    return "CANCELLED" if order.status == OrderStatus.CANCELLED else ""


def _facts(order: Order) -> list[tuple[str, object]]:
    customer = order.customer
    return [
        ("Customer", _buyer(order)), ("Order", order_number(order.pk)),
        ("Customer no.", customer.code if customer else ""), ("Placed", moment_text(order.placed_at)),
        ("Country", customer.country if customer else ""),
        ("Shipped", moment_text(order.shipped_at) if order.shipped_at else ""),
        ("E-mail", customer.email if customer else getattr(order.user, "email", "")),
        ("Your reference", order.external_reference or ""), ("Notes", order.notes),
    ]  # fmt: skip
