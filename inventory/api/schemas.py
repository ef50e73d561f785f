"""Shapes of the catalogue and the ledger for the OpenAPI document; nothing runs through them at run time."""

from typing import Any

from rest_framework import serializers as s

from inventory.models import MovementType, StockCount, StockOperation, Transfer

Shape = s.Serializer[Any]
MOVEMENT_TYPES = sorted(MovementType.values)
COUNT_MODES = ["set", "add"]
BULK_MODES = ["all_or_nothing", "each"]
OPERATION_KINDS = sorted(StockOperation.Kind.values)
TRANSFER_STATUSES = sorted(Transfer.Status.values)
COUNT_STATUSES = sorted(StockCount.Status.values)


class WarehouseStockShape(Shape):
    """One product in one warehouse."""

    warehouse_id = s.IntegerField()
    warehouse_name = s.CharField()
    is_sellable = s.BooleanField()
    quantity = s.FloatField(help_text="On hand.")
    reserved = s.FloatField(allow_null=True)
    available = s.FloatField(allow_null=True)
    in_transit = s.FloatField(allow_null=True, help_text="On the way here from other warehouses.")


class ProductShape(Shape):
    """A product with its stock over all warehouses."""

    id = s.IntegerField()
    sku = s.CharField()
    name = s.CharField()
    description = s.CharField()
    category = s.CharField(allow_null=True)
    unit_of_measure = s.CharField()
    price = s.FloatField()
    unit_cost = s.FloatField(required=False, allow_null=True, help_text="Shown to staff only.")
    stock_quantity = s.FloatField(
        allow_null=True, help_text="Available: on hand − reserved, over sellable warehouses; null with `as_of`."
    )
    on_hand = s.FloatField()
    reserved = s.FloatField(allow_null=True, help_text="Null with `as_of`.")
    reorder_threshold = s.FloatField()
    reorder_quantity = s.FloatField()
    is_stocked = s.BooleanField(help_text="False for charges: sold, but no stock is kept.")
    is_active = s.BooleanField()
    created_at = s.DateTimeField()
    updated_at = s.DateTimeField()


class ProductDetailShape(ProductShape):
    """A product with its stock, per warehouse too."""

    stock_by_warehouse = WarehouseStockShape(many=True)
    in_transit = s.FloatField(
        allow_null=True, help_text="Between warehouses: has left one and not arrived at the other."
    )


class BinShape(Shape):
    """Where a product stands in a warehouse."""

    warehouse_id = s.IntegerField()
    warehouse_name = s.CharField()
    bin = s.CharField()


class BinWriteShape(Shape):
    """A warehouse's bin; empty: none."""

    warehouse_id = s.IntegerField()
    bin = s.CharField(allow_blank=True, max_length=40)


class BinsWriteShape(Shape):
    """Some warehouses' bins."""

    bins = BinWriteShape(many=True)


class ThresholdShape(Shape):
    """At or below it the product is low in this warehouse."""

    warehouse_id = s.IntegerField()
    warehouse_name = s.CharField()
    reorder_threshold = s.FloatField()
    available = s.FloatField()


class ThresholdWriteShape(Shape):
    """A warehouse's own threshold; null: none."""

    warehouse_id = s.IntegerField()
    reorder_threshold = s.FloatField(allow_null=True)


class ThresholdsWriteShape(Shape):
    """Some warehouses' thresholds."""

    thresholds = ThresholdWriteShape(many=True)


class ProductWriteShape(Shape):
    """What may be written of a product; the seeds' other names are accepted too (see the alias table)."""

    name = s.CharField(max_length=200, required=False)
    sku = s.CharField(max_length=64, required=False)
    description = s.CharField(max_length=4000, required=False)
    category = s.CharField(max_length=100, required=False, allow_null=True)
    unit_of_measure = s.CharField(max_length=20, required=False)
    price = s.FloatField(required=False)
    unit_cost = s.FloatField(required=False, allow_null=True)
    reorder_threshold = s.FloatField(required=False)
    reorder_quantity = s.FloatField(required=False)
    is_stocked = s.BooleanField(required=False)
    stock_quantity = s.FloatField(required=False, help_text="Available stock: opening stock, or the number to set.")
    on_hand = s.FloatField(required=False, help_text="Physical stock to set instead.")
    warehouse_id = s.IntegerField(required=False, help_text="Where; without it the default warehouse.")


class ProductChangeShape(ProductWriteShape):
    """A partial body: only what is sent changes."""

    is_active = s.BooleanField(required=False)
    compare_quantity = s.FloatField(required=False, help_text="The number you decided on; 412 when it has moved.")
    reason = s.CharField(max_length=500, required=False, help_text="Why the stock number changes.")


class MovementShape(Shape):
    """One line of the ledger."""

    id = s.IntegerField()
    operation_id = s.IntegerField()
    product_id = s.IntegerField()
    product_name = s.CharField()
    sku = s.CharField()
    warehouse_id = s.IntegerField()
    warehouse_name = s.CharField()
    movement_type = s.ChoiceField(choices=MOVEMENT_TYPES)
    quantity = s.FloatField(help_text="Signed: + came in, − went out.")
    unit_cost = s.FloatField(allow_null=True)
    total_cost = s.FloatField(allow_null=True)
    balance_after = s.FloatField(help_text="On hand in this warehouse right after it.")
    reference_number = s.CharField()
    reason = s.CharField()
    created_by = s.IntegerField(allow_null=True)
    created_at = s.DateTimeField()


class HistoryShape(MovementShape):
    """A movement with the product's running balance."""

    balance = s.FloatField(help_text="On hand over all warehouses right after it.")


class PostedShape(MovementShape):
    """A movement just posted, with the product's stock after it."""

    stock_quantity = s.FloatField()
    on_hand = s.FloatField()
    reserved = s.FloatField()


class MovementWriteShape(Shape):
    """A movement to post; the sign follows the type, only an adjustment keeps its own."""

    product_id = s.IntegerField()
    warehouse_id = s.IntegerField(required=False)
    movement_type = s.ChoiceField(choices=MOVEMENT_TYPES, help_text="The two transfer types come from transfers only.")
    quantity = s.FloatField()
    unit_cost = s.FloatField(required=False)
    reference_number = s.CharField(max_length=100, required=False)
    notes = s.CharField(max_length=500, required=False)


class AdjustShape(Shape):
    """A correction of stock with its reason."""

    product_id = s.IntegerField()
    quantity = s.FloatField(help_text="+ adds, − takes away.")
    reason = s.CharField(max_length=500)
    warehouse_id = s.IntegerField(required=False)
    reference_number = s.CharField(max_length=100, required=False)


class ReasonShape(Shape):
    """Why."""

    reason = s.CharField(max_length=500)


class OperationBaseShape(Shape):
    """One act on the ledger: who, why, when."""

    id = s.IntegerField()
    kind = s.ChoiceField(choices=OPERATION_KINDS)
    reason = s.CharField()
    reference_number = s.CharField()
    created_by = s.IntegerField(allow_null=True)
    request_id = s.CharField()
    reverses_id = s.IntegerField(allow_null=True)
    reversed_by = s.IntegerField(allow_null=True)
    occurred_at = s.DateTimeField()
    created_at = s.DateTimeField()


class OperationRowShape(OperationBaseShape):
    """One act on the ledger as lists show it."""

    movement_count = s.IntegerField()


class OperationShape(OperationBaseShape):
    """One act on the ledger with its movements."""

    movements = MovementShape(many=True)


class LowStockShape(Shape):
    """A product at or below its reorder threshold."""

    product_id = s.IntegerField()
    product_name = s.CharField()
    sku = s.CharField()
    category = s.CharField(allow_null=True)
    current_quantity = s.FloatField()
    threshold = s.FloatField()
    reorder_quantity = s.FloatField()


class ValuationShape(Shape):
    """What one product's stock is worth."""

    product_id = s.IntegerField()
    sku = s.CharField()
    name = s.CharField()
    category = s.CharField(allow_null=True)
    on_hand = s.FloatField()
    average_cost = s.FloatField(allow_null=True, help_text="Null: nobody knows what it cost.")
    value = s.FloatField(allow_null=True)


class BulkAdjustRowShape(Shape):
    """One correction; its product by id or SKU."""

    product_id = s.IntegerField(required=False)
    sku = s.CharField(max_length=64, required=False)
    warehouse_id = s.IntegerField(required=False)
    quantity = s.FloatField(help_text="+ adds, − takes away.")
    reason = s.CharField(max_length=500, required=False)


class BulkMovementRowShape(BulkAdjustRowShape):
    """One movement; its product by id or SKU."""

    movement_type = s.ChoiceField(choices=MOVEMENT_TYPES)
    unit_cost = s.FloatField(required=False)


class BulkPriceRowShape(Shape):
    """One price; its product by id or SKU."""

    product_id = s.IntegerField(required=False)
    sku = s.CharField(max_length=64, required=False)
    price = s.FloatField()


class BulkShape(Shape):
    """What all bulk calls share."""

    mode = s.ChoiceField(choices=BULK_MODES, required=False)


class BulkAdjustShape(BulkShape):
    """Many corrections."""

    items = BulkAdjustRowShape(many=True)
    reason = s.CharField(max_length=500, required=False)
    reference_number = s.CharField(max_length=100, required=False)


class BulkMovementsShape(BulkShape):
    """Many movements."""

    items = BulkMovementRowShape(many=True)
    reason = s.CharField(max_length=500, required=False)
    reference_number = s.CharField(max_length=100, required=False)


class BulkPriceShape(BulkShape):
    """Many prices."""

    items = BulkPriceRowShape(many=True)


class BulkRowOutcomeShape(Shape):
    """What became of one row."""

    index = s.IntegerField()
    status = s.ChoiceField(choices=["ok", "failed"])
    error = s.DictField(allow_null=True, help_text="The error body this row alone would have got.")


class BulkOutcomeShape(Shape):
    """What became of the rows."""

    mode = s.ChoiceField(choices=BULK_MODES)
    ok = s.IntegerField()
    failed = s.IntegerField()
    operation_ids = s.ListField(child=s.IntegerField(), help_text="Of `all_or_nothing`: one per reason and reference.")
    results = BulkRowOutcomeShape(many=True, help_text="Of `each`: one per row.")


class WarehouseShape(Shape):
    """A place that holds stock."""

    id = s.IntegerField()
    name = s.CharField()
    code = s.CharField()
    address = s.CharField()
    is_sellable = s.BooleanField()
    priority = s.IntegerField()
    is_active = s.BooleanField()
    created_at = s.DateTimeField()


class WarehouseWriteShape(Shape):
    """What may be written of a warehouse."""

    name = s.CharField(max_length=100)
    code = s.CharField(max_length=20, required=False)
    address = s.CharField(max_length=300, required=False)
    is_sellable = s.BooleanField(required=False)
    priority = s.IntegerField(required=False, min_value=0)
    is_active = s.BooleanField(required=False)


class CategoryWriteShape(Shape):
    """What may be written of a category."""

    name = s.CharField(max_length=100)
    description = s.CharField(max_length=500, required=False)


class CategoryShape(CategoryWriteShape):
    """A group of products."""

    id = s.IntegerField()


class UnitWriteShape(Shape):
    """What may be written of a unit of measure."""

    code = s.CharField(max_length=20)
    name = s.CharField(max_length=60, required=False)
    decimal_places = s.IntegerField(required=False, min_value=0, max_value=3)


class UnitShape(UnitWriteShape):
    """What one of a product is, and how finely it may be divided."""

    id = s.IntegerField()


class TransferLineShape(Shape):
    """A line of a transfer."""

    id = s.IntegerField()
    product_id = s.IntegerField()
    sku = s.CharField()
    name = s.CharField()
    quantity = s.FloatField()
    received = s.FloatField()
    lost = s.FloatField()
    damaged = s.FloatField()


class TransferShape(Shape):
    """Goods on their way from one warehouse to another."""

    id = s.IntegerField()
    status = s.ChoiceField(choices=Transfer.Status.choices)
    from_warehouse_id = s.IntegerField()
    from_warehouse_name = s.CharField()
    to_warehouse_id = s.IntegerField()
    to_warehouse_name = s.CharField()
    transfer_reference = s.CharField()
    notes = s.CharField()
    product_id = s.IntegerField(allow_null=True, help_text="Of a transfer with one line.")
    quantity = s.FloatField(allow_null=True, help_text="Of a transfer with one line.")
    items = TransferLineShape(many=True)
    created_by = s.IntegerField(allow_null=True)
    created_at = s.DateTimeField()
    dispatched_at = s.DateTimeField(allow_null=True)
    completed_at = s.DateTimeField(allow_null=True)
    cancelled_at = s.DateTimeField(allow_null=True)
    updated_at = s.DateTimeField()


class NamedLineShape(Shape):
    """A product (by id, SKU or barcode) and how many; a barcode of a pack means that many units."""

    product_id = s.IntegerField(required=False)
    sku = s.CharField(max_length=64, required=False)
    barcode = s.CharField(max_length=64, required=False)
    quantity = s.FloatField()


class TransferWriteShape(Shape):
    """A transfer to make: one product, or several under `items`."""

    from_warehouse_id = s.IntegerField()
    to_warehouse_id = s.IntegerField()
    product_id = s.IntegerField(required=False)
    quantity = s.FloatField(required=False)
    items = NamedLineShape(many=True, required=False)
    transfer_reference = s.CharField(max_length=100, required=False)
    notes = s.CharField(max_length=500, required=False)


class ArrivalShape(Shape):
    """What became of one product; the three make up what was sent."""

    product_id = s.IntegerField()
    received = s.FloatField()
    lost = s.FloatField(required=False)
    damaged = s.FloatField(required=False)


class TransferCompleteShape(Shape):
    """What did not arrive well, and why."""

    items = ArrivalShape(many=True, required=False)
    reason = s.CharField(max_length=400, required=False)


class TransferCancelShape(Shape):
    """Why the transfer is off."""

    reason = s.CharField(max_length=400, required=False)


class CountLineShape(Shape):
    """A line of a count."""

    product_id = s.IntegerField()
    sku = s.CharField()
    name = s.CharField()
    counted_quantity = s.FloatField()
    counted_at = s.DateTimeField()
    recorded_by = s.IntegerField(allow_null=True)
    expected_quantity = s.FloatField(allow_null=True, help_text="The ledger's balance when it was counted.")
    variance = s.FloatField(allow_null=True, help_text="Counted − expected.")


class CountRowShape(Shape):
    """A stock count as lists show it."""

    id = s.IntegerField()
    warehouse_id = s.IntegerField()
    warehouse_name = s.CharField()
    status = s.ChoiceField(choices=StockCount.Status.choices)
    is_blind = s.BooleanField()
    notes = s.CharField()
    operation_id = s.IntegerField(allow_null=True, help_text="What the close posted, if anything differed.")
    opened_by = s.IntegerField(allow_null=True)
    closed_by = s.IntegerField(allow_null=True)
    opened_at = s.DateTimeField()
    closed_at = s.DateTimeField(allow_null=True)
    updated_at = s.DateTimeField()
    line_count = s.IntegerField()


class CountShape(CountRowShape):
    """A stock count with its lines."""

    lines = CountLineShape(many=True)


class VariancesShape(Shape):
    """How far the books are off."""

    id = s.IntegerField()
    status = s.ChoiceField(choices=StockCount.Status.choices)
    differences = s.IntegerField(help_text="Lines whose variance is not zero.")
    lines = CountLineShape(many=True)


class CountOpenShape(Shape):
    """A count to open."""

    warehouse_id = s.IntegerField()
    is_blind = s.BooleanField(required=False)
    notes = s.CharField(max_length=500, required=False)


class FoundShape(Shape):
    """So many of a product (by id, SKU or barcode) were found."""

    product_id = s.IntegerField(required=False)
    sku = s.CharField(max_length=64, required=False)
    barcode = s.CharField(max_length=64, required=False)
    counted_quantity = s.FloatField(required=False)
    counted_at = s.DateTimeField(required=False)
    mode = s.ChoiceField(choices=COUNT_MODES, required=False)


class CountLinesShape(FoundShape):
    """One line, or many."""

    lines = FoundShape(many=True, required=False)


class ScanShape(Shape):
    """What a scanner read."""

    barcode = s.CharField(max_length=64)


class ScannedShape(Shape):
    """What the code means."""

    barcode = s.CharField()
    product_id = s.IntegerField()
    pack_quantity = s.FloatField(help_text="How many units one scan means.")
    stock_quantity = s.FloatField()
    product = ProductDetailShape()


class LinkShape(Shape):
    """A code to link."""

    barcode = s.CharField(max_length=64)
    product_id = s.IntegerField()
    pack_quantity = s.FloatField(required=False)


class BarcodeShape(Shape):
    """A code and what it means."""

    barcode = s.CharField()
    gtin = s.CharField(allow_null=True, help_text="The same as GTIN-14, of codes with a right check digit.")
    product_id = s.IntegerField()
    pack_quantity = s.FloatField()
    created_at = s.DateTimeField()
