"""Shapes of orders for the OpenAPI document; nothing runs through them at run time."""

from typing import Any

from rest_framework import serializers as s

from orders.models import Order
from orders.states import OrderStatus

Shape = s.Serializer[Any]
STATUSES = sorted(OrderStatus.values)


class OrderLineShape(Shape):
    """So many of a product at the price it had when ordered."""

    id = s.IntegerField()
    product_id = s.IntegerField()
    sku = s.CharField()
    name = s.CharField()
    quantity = s.FloatField()
    unit_price = s.FloatField()
    shipped_quantity = s.FloatField()
    returned_quantity = s.FloatField()


class OrderShape(Shape):
    """An order with its lines; `message` comes with an action's answer."""

    id = s.IntegerField()
    user_id = s.IntegerField(allow_null=True)
    customer_id = s.IntegerField(allow_null=True)
    warehouse_id = s.IntegerField(allow_null=True)
    status = s.ChoiceField(choices=STATUSES)
    channel = s.ChoiceField(choices=sorted(Order.Channel.values))
    total_amount = s.FloatField()
    items = OrderLineShape(many=True)
    notes = s.CharField()
    created_at = s.DateTimeField(help_text="When it was placed.")
    confirmed_at = s.DateTimeField(allow_null=True)
    shipped_at = s.DateTimeField(allow_null=True)
    delivered_at = s.DateTimeField(allow_null=True)
    cancelled_at = s.DateTimeField(allow_null=True)
    hold_expires_at = s.DateTimeField(
        allow_null=True, help_text="Until then the stock of the pending order was held for it."
    )
    updated_at = s.DateTimeField()


class ActedOrderShape(OrderShape):
    """An order after a step, with a sentence for people."""

    message = s.CharField()


class ItemShape(Shape):
    """A product (by id, SKU or barcode) and how many; a barcode of a pack means that many units."""

    product_id = s.IntegerField(required=False)
    sku = s.CharField(required=False)
    barcode = s.CharField(required=False)
    quantity = s.FloatField()


class PlaceShape(Shape):
    """An order to place; a total or a status in the body is ignored."""

    items = ItemShape(many=True)
    confirm = s.BooleanField(required=False, help_text="False leaves it pending: nothing is promised yet.")
    warehouse_id = s.IntegerField(required=False, help_text="Ship from here only.")
    user_id = s.IntegerField(required=False, help_text="Staff may order for others.")
    notes = s.CharField(max_length=500, required=False)
    hold_minutes = s.IntegerField(required=False, help_text="Hold a pending order's stock for so long.")
    plan = s.CharField(required=False, help_text="The token of `POST /orders/plan`: exactly this sourcing, or 409.")


class PlanShape(Shape):
    """What an order would hold."""

    items = ItemShape(many=True)
    warehouse_id = s.IntegerField(required=False, help_text="Ship from here only.")


class SourceShape(Shape):
    """So much from this warehouse."""

    warehouse_id = s.IntegerField()
    quantity = s.FloatField()


class PlannedLineShape(Shape):
    """One line: where it would come from, or how much is short and until when."""

    product_id = s.IntegerField()
    sku = s.CharField()
    name = s.CharField()
    quantity = s.FloatField()
    unit_price = s.FloatField()
    available = s.FloatField()
    short = s.FloatField()
    earliest_on = s.DateField(allow_null=True, help_text="Null: nothing that would make up for it is on order.")
    sources = SourceShape(many=True)


class PlanAnswerShape(Shape):
    """A plan and its token."""

    plan = s.CharField(help_text="Order or confirm with it.")
    is_complete = s.BooleanField()
    total_amount = s.FloatField()
    items = PlannedLineShape(many=True)


class ConfirmShape(Shape):
    """An empty body, or the plan that was agreed to."""

    plan = s.CharField(required=False, help_text="The token of `POST /orders/plan`: exactly this sourcing, or 409.")


class ShipShape(Shape):
    """What leaves; an empty body ships everything that is open."""

    items = ItemShape(many=True, required=False)
    warehouse_id = s.IntegerField(required=False)


class ReturnItemShape(ItemShape):
    """A product that comes back, and in which condition."""

    condition = s.ChoiceField(choices=["good", "damaged"], required=False)


class ReturnShape(Shape):
    """What comes back, where to and why; without items everything that was shipped."""

    items = ReturnItemShape(many=True, required=False)
    warehouse_id = s.IntegerField(required=False)
    damaged_warehouse_id = s.IntegerField(required=False, help_text="Where damaged goods go.")
    reason = s.CharField(max_length=500, required=False)


class CancelShape(Shape):
    """Why, if you want to say."""

    reason = s.CharField(max_length=500, required=False)


class StepShape(Shape):
    """One step in an order's life, with the keys its live frame shows."""

    event_id = s.IntegerField()
    type = s.CharField()
    at = s.DateTimeField()
    actor_id = s.IntegerField(allow_null=True)
    actor = s.CharField(allow_null=True)
    request_id = s.CharField()
    status = s.ChoiceField(choices=STATUSES)
    previous_status = s.CharField(required=False)


class SaleShape(Shape):
    """One sold line."""

    id = s.IntegerField()
    order_id = s.IntegerField()
    product_id = s.IntegerField()
    product_name = s.CharField()
    quantity = s.FloatField()
    unit_price = s.FloatField()
    total_amount = s.FloatField()
    sale_date = s.DateTimeField()


class SellShape(Shape):
    """A counter sale: `items`, or one `product_id` and `quantity`."""

    items = ItemShape(many=True, required=False)
    product_id = s.IntegerField(required=False)
    quantity = s.FloatField(required=False)
    sale_date = s.DateTimeField(required=False, help_text="When it was sold; may lie in the past.")
    warehouse_id = s.IntegerField(required=False)
    user_id = s.IntegerField(required=False)
    notes = s.CharField(max_length=500, required=False)


class SoldShape(OrderShape):
    """The order behind a counter sale."""

    sale_date = s.DateTimeField()
