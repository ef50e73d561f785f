"""The one table of other names for the same thing: canonical name → names that are accepted on write as well.

Answers use the canonical names only. Two names of one thing that disagree in one body are refused (422).
"""

PRODUCT = {
    "price": ("unit_price",),
    "stock_quantity": ("current_stock", "quantity"),
    "reorder_threshold": ("low_stock_threshold",),
    "reason": ("notes",),
}
MOVEMENT = {
    "product_id": ("inventory_id",),
    "reference_number": ("reference",),
    "reason": ("notes",),
}
