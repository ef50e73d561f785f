"""Shapes of purchasing for the OpenAPI document; nothing runs through them at run time."""

from typing import Any

from rest_framework import serializers as s

from purchasing.models import VendorPrice
from purchasing.states import PurchaseStatus

Shape = s.Serializer[Any]
STATUSES = sorted(PurchaseStatus.values)
BASES = sorted(VendorPrice.ShippingBasis.values)


class VendorShape(Shape):
    """Who we buy from."""

    id = s.IntegerField()
    name = s.CharField()
    contact_email = s.CharField()
    contact_phone = s.CharField()
    address = s.CharField()
    quoted_lead_time_days = s.IntegerField()
    notes = s.CharField()
    is_active = s.BooleanField()
    created_at = s.DateTimeField()
    updated_at = s.DateTimeField()


class VendorWriteShape(Shape):
    """A vendor to make or change."""

    name = s.CharField(max_length=200, help_text="Unique in every spelling.")
    contact_email = s.EmailField(required=False)
    contact_phone = s.CharField(max_length=60, required=False)
    address = s.CharField(max_length=300, required=False)
    quoted_lead_time_days = s.IntegerField(required=False, help_text="Default 7.")
    notes = s.CharField(max_length=500, required=False)
    is_active = s.BooleanField(required=False)


class PriceBreakShape(Shape):
    """From so many units on, a unit costs this."""

    from_quantity = s.FloatField()
    unit_price = s.FloatField()


class VendorPriceShape(Shape):
    """What a vendor asks, or asked, for a product."""

    id = s.IntegerField()
    vendor_id = s.IntegerField()
    vendor_name = s.CharField()
    product_id = s.IntegerField()
    sku = s.CharField()
    product_name = s.CharField()
    unit_price = s.FloatField()
    lead_time_days = s.IntegerField()
    minimum_order_quantity = s.FloatField()
    pack_quantity = s.FloatField()
    shipping_cost = s.FloatField()
    shipping_basis = s.ChoiceField(choices=BASES)
    price_breaks = PriceBreakShape(many=True)
    is_current = s.BooleanField()
    valid_from = s.DateTimeField()
    valid_to = s.DateTimeField(allow_null=True)


class VendorPriceWriteShape(Shape):
    """A new price; the one before it is closed and kept."""

    product_id = s.IntegerField()
    unit_price = s.FloatField()
    lead_time_days = s.IntegerField(required=False, help_text="Default: what the vendor generally quotes.")
    minimum_order_quantity = s.FloatField(required=False, help_text="Default 1.")
    pack_quantity = s.FloatField(required=False, help_text="Sold in multiples of this. Default 1.")
    shipping_cost = s.FloatField(required=False, help_text="Default 0.")
    shipping_basis = s.ChoiceField(choices=BASES, required=False, help_text="Of what; default `line`.")
    price_breaks = PriceBreakShape(many=True, required=False)


class OfferShape(Shape):
    """A vendor's offer for a quantity."""

    vendor_id = s.IntegerField()
    vendor_name = s.CharField()
    vendor_price_id = s.IntegerField()
    unit_price = s.FloatField(help_text="That of the price break which applies.")
    order_quantity = s.FloatField(help_text="What has to be ordered: minimum order and full packs.")
    quantity_note = s.CharField(help_text="Says when and why it was rounded up.")
    shipping_cost = s.FloatField()
    landed_cost = s.FloatField(help_text="Goods and shipping for `order_quantity`.")
    landed_unit_cost = s.FloatField()
    lead_time_days = s.IntegerField(help_text="As quoted.")
    measured_lead_time_days = s.FloatField(allow_null=True, help_text="From five receipts on.")
    minimum_order_quantity = s.FloatField()
    pack_quantity = s.FloatField()
    last_updated = s.DateTimeField()
    is_recommended = s.BooleanField()
    reason = s.CharField()


class VendorComparisonShape(Shape):
    """Every current offer for a product, cheapest at the door first."""

    product_id = s.IntegerField()
    sku = s.CharField()
    name = s.CharField()
    quantity = s.FloatField()
    count = s.IntegerField()
    results = OfferShape(many=True)


class LeadTimeShape(Shape):
    """Days from sending to receiving; until five receipts what is quoted, with a spread of 30 %."""

    quoted_lead_time_days = s.IntegerField()
    receipts = s.IntegerField()
    is_measured = s.BooleanField()
    mean_days = s.FloatField()
    sd_days = s.FloatField()


class ProductLeadTimeShape(LeadTimeShape):
    """The same of one product."""

    product_id = s.IntegerField()
    sku = s.CharField()
    name = s.CharField()


class VendorLeadTimeShape(LeadTimeShape):
    """In all, and per product."""

    vendor_id = s.IntegerField()
    products = ProductLeadTimeShape(many=True)


class PurchaseLineShape(Shape):
    """So many of a product at the cost agreed."""

    id = s.IntegerField()
    product_id = s.IntegerField()
    sku = s.CharField()
    name = s.CharField()
    quantity = s.FloatField()
    unit_cost = s.FloatField()
    received_quantity = s.FloatField()


class PurchaseOrderShape(Shape):
    """A purchase order with its lines."""

    id = s.IntegerField()
    number = s.CharField()
    vendor_id = s.IntegerField()
    vendor_name = s.CharField()
    warehouse_id = s.IntegerField()
    warehouse_name = s.CharField()
    status = s.ChoiceField(choices=STATUSES)
    total_amount = s.FloatField()
    items = PurchaseLineShape(many=True)
    reference = s.CharField()
    notes = s.CharField()
    expected_on = s.DateField(allow_null=True)
    created_by = s.IntegerField(allow_null=True)
    created_at = s.DateTimeField()
    sent_at = s.DateTimeField(allow_null=True)
    received_at = s.DateTimeField(allow_null=True)
    closed_at = s.DateTimeField(allow_null=True)
    cancelled_at = s.DateTimeField(allow_null=True)
    updated_at = s.DateTimeField()


class PurchaseItemShape(Shape):
    """A product (by id, SKU or barcode), how many, and what one costs."""

    product_id = s.IntegerField(required=False)
    sku = s.CharField(required=False)
    barcode = s.CharField(required=False)
    quantity = s.FloatField()
    unit_cost = s.FloatField(required=False)


class PurchaseWriteShape(Shape):
    """A draft to make."""

    vendor_id = s.IntegerField()
    items = PurchaseItemShape(many=True)
    warehouse_id = s.IntegerField(required=False, help_text="Default: the one orders are filled from first.")
    expected_on = s.DateField(required=False)
    reference = s.CharField(max_length=100, required=False)
    notes = s.CharField(max_length=500, required=False)


class PurchaseChangeShape(Shape):
    """What a draft says now; `items` replaces all lines."""

    items = PurchaseItemShape(many=True, required=False)
    warehouse_id = s.IntegerField(required=False)
    expected_on = s.DateField(required=False, allow_null=True)
    reference = s.CharField(max_length=100, required=False)
    notes = s.CharField(max_length=500, required=False)


class ReceiveShape(Shape):
    """What came in; an empty body takes everything that is open."""

    items = PurchaseItemShape(many=True, required=False)


class PurchaseReasonShape(Shape):
    """Why, if you want to say."""

    reason = s.CharField(max_length=500, required=False)


class ReceiptLineShape(Shape):
    """One movement of a receipt."""

    movement_id = s.IntegerField()
    product_id = s.IntegerField()
    sku = s.CharField()
    name = s.CharField()
    quantity = s.FloatField()
    unit_cost = s.FloatField()
    total_cost = s.FloatField()


class ReceiptShape(Shape):
    """Goods that came in in one go."""

    id = s.IntegerField()
    purchase_order_id = s.IntegerField()
    operation_id = s.IntegerField()
    received_by = s.IntegerField(allow_null=True)
    received_at = s.DateTimeField()
    items = ReceiptLineShape(many=True)


class ActedPurchaseShape(PurchaseOrderShape):
    """A purchase order after a step, with a sentence for people."""

    message = s.CharField()


class ReceivedPurchaseShape(ActedPurchaseShape):
    """After receiving, with what was just booked."""

    receipt = ReceiptShape()
