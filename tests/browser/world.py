"""A small shop with a history, made through the services only: what the browser tests and screenshots look at."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from accounts.models import Role, User
from insights import facts, refit
from inventory.models import Barcode, Product, UnitOfMeasure, Warehouse
from inventory.services import catalog, counts, ledger, transfers
from inventory.services.catalog import OpeningStock
from inventory.services.counts import Found
from inventory.services.ledger import Movement
from orders import services
from orders.history import PastLine, PastOrder, record_history
from orders.models import Customer
from orders.services import Item
from purchasing.services import vendors
from purchasing.services.orders import PurchaseItem, create_purchase_order, send_purchase_order
from purchasing.services.receipts import Received, receive_purchase_order
from workbox.exchange import imports
from workbox.exchange.intake import keep, receive
from workbox.jobs import services as jobs

PASSWORD = "shelves-and-boxes-42"
D = Decimal
GOODS = (
    ("LAMP-01", "Desk lamp, brass", "Lighting", "49.90", 40),
    ("LAMP-02", "Floor lamp, oak", "Lighting", "129.00", 6),
    ("CHAIR-01", "Folding chair", "Furniture", "34.50", 120),
    ("CHAIR-02", "Office chair with a rather long name that has to fit on a phone", "Furniture", "249.00", 9),
    ("MUG-01", "Enamel mug, white", "Kitchen", "7.95", 400),
    ("MUG-02", "Enamel mug, blue", "Kitchen", "7.95", 0),
    ("BOX-L", "Storage box, large", "Storage", "12.40", 85),
    ("BOX-S", "Storage box, small", "Storage", "6.20", 14),
    ("TOWEL-01", "Linen towel", "Kitchen", "11.00", 60),
    ("CLOCK-01", "Wall clock", "Furniture", "59.00", 10),
)


def make_users() -> None:
    """One account per role, named after it."""
    for role in Role.values:
        User.objects.create_user(
            role, f"{role}@example.com", PASSWORD, role=role, full_name=f"{role.capitalize()} Example"
        )


def make_shop() -> None:
    """Two warehouses and a quarantine, ten products, customers, and orders in every status."""
    make_users()
    clerk = User.objects.get(username="clerk").pk
    UnitOfMeasure.objects.get_or_create(code="piece", defaults={"name": "Piece"})
    UnitOfMeasure.objects.get_or_create(code="kg", defaults={"name": "Kilogram", "decimal_places": 3})
    main = Warehouse.objects.create(name="Main store", code="MAIN", priority=1, address="1 Harbour Street")
    annex = Warehouse.objects.create(name="Annex", code="ANNEX", priority=2)
    Warehouse.objects.create(name="Quarantine", code="QUAR", priority=9, is_sellable=False)
    made: dict[str, Product] = {}
    for sku, name, category, price, stock in GOODS:
        opening = OpeningStock(D(stock), main.pk, D(price) / 2)
        made[sku] = catalog.create_product(
            name=name, sku=sku, category=category, price=D(price), opening=opening, actor_id=clerk
        )
        Barcode.objects.create(code=f"40063813{made[sku].pk:05d}", product=made[sku])
    beans = catalog.create_product(
        name="Coffee beans",
        sku="BEANS",
        category="Kitchen",
        unit="kg",
        price=D("18.75"),
        opening=OpeningStock(D("24.5"), main.pk),
    )
    catalog.create_product(name="Postage", sku="POST", price=D("4.90"), is_stocked=False)
    ledger.adjust(
        made["CHAIR-01"].pk, quantity=D(30), warehouse_id=annex.pk, reason="Moved in from the fair", actor_id=clerk
    )
    ledger.adjust(made["LAMP-02"].pk, quantity=D(-1), warehouse_id=main.pk, reason="Dropped", actor_id=clerk)
    make_orders(made, beans)
    make_import()
    moved = transfers.create_transfer(
        {made["MUG-01"].pk: D(24), made["BOX-L"].pk: D(5)},
        from_warehouse_id=main.pk,
        to_warehouse_id=annex.pk,
        reference="VAN-7",
        actor_id=clerk,
    )
    transfers.dispatch_transfer(moved.id)
    counted = counts.open_count(main.pk, notes="Shelf 4", actor_id=clerk)
    counts.record(counted.id, [Found(made["TOWEL-01"].pk, D(58))], actor_id=clerk)


def make_import() -> None:
    """A price list that is ready to apply, with a row of every kind."""
    lines = ["LAMP-01,Desk lamp in brass,52.90", "MUG-01,,7.95", f"NEW-01,{'A new lamp ' * 8},12", "BAD-01,,-3"]
    received = receive(keep(["\n".join(["SKU,Product name,Unit price", *lines]).encode()]))
    manager = User.objects.get(username="manager").pk
    made = imports.receive_import(received, what="products", original_name="prices-of-spring-2026.csv", user_id=manager)
    jobs.run(made.job_id or 0)


def make_orders(made: dict[str, Product], beans: Product) -> None:
    """Orders in every status, today and yesterday."""
    buyer = User.objects.get(username="user").pk
    cafe = Customer.objects.create(code="C-1001", name="Corner Café", email="orders@cafe.example", country="Ireland")
    hotel = Customer.objects.create(code="C-1002", name="Hotel Meridian", country="Portugal")
    now = datetime.now(UTC)
    yesterday = now - timedelta(days=1)

    def order(*lines: tuple[Product, int], **options: object) -> int:
        return services.place_order(
            [Item(product.pk, D(count)) for product, count in lines], user_id=None, **options
        ).id  # type: ignore[arg-type]  # what the case names

    sold = services.counter_sale([Item(made["MUG-01"].pk, D(12))], user_id=buyer, sold_at=yesterday)
    services.return_order(sold.id, quantities={made["MUG-01"].pk: D(2)}, reason="Chipped")
    order((made["CHAIR-01"], 4), (made["LAMP-01"], 1), customer_id=cafe.pk, confirm=True, placed_at=yesterday)
    partly = order((made["BOX-L"], 10), (made["TOWEL-01"], 5), customer_id=hotel.pk, confirm=True)
    services.ship_order(partly, quantities={made["BOX-L"].pk: D(6)})
    shipped = order((made["LAMP-01"], 2), customer_id=cafe.pk, confirm=True)
    services.ship_order(shipped)
    order((made["CLOCK-01"], 2), (beans, 3), customer_id=hotel.pk, confirm=False)
    services.cancel_order(order((made["BOX-S"], 2), customer_id=cafe.pk, confirm=True), reason="Ordered twice")
    services.place_order([Item(made["MUG-01"].pk, D(6))], user_id=buyer, confirm=False)


def make_purchases(product: Product, vendor_name: str) -> None:
    """A vendor of this product with a price that changed, an order that came in part, and a draft."""
    vendor = vendors.create_vendor({"name": vendor_name})
    for price in ("5.20", "4.80"):
        breaks = [(D(50), D(price) / 2)]
        vendors.add_price(vendor.pk, vendors.NewPrice(product.pk, D(price), breaks=breaks))
    ordered = create_purchase_order(vendor.pk, [PurchaseItem(product.pk, D(20))])
    send_purchase_order(ordered.pk)
    receive_purchase_order(ordered.pk, [Received(product.pk, D(5))])
    create_purchase_order(vendor.pk, [PurchaseItem(product.pk, D(60))])


def make_forecasts() -> None:
    """Two products that sold every day for ten weeks and run low, from two vendors, and their forecasts."""
    place = Warehouse.objects.get(code="MAIN")
    begin = facts.midnight(facts.today()) - timedelta(days=70, hours=-12)
    for number, (sku, name) in enumerate((("KETTLE-01", "Kettle, copper"), ("STOVE-01", "Camping stove"))):
        product = catalog.create_product(name=name, sku=sku, category="Outdoors", price=D(40))
        vendor = vendors.create_vendor({"name": f"Smithy {number + 1}"}).pk
        terms = {"lead_time_days": 9, "minimum_order_quantity": D(12), "pack_quantity": D(6)}
        vendors.add_price(vendor, vendors.NewPrice(product.pk, D(15), breaks=[(D(120), D(12))], **terms))
        units = [D(2 + (day * 3 + number) % 5) for day in range(70)]
        delivered = Movement(product.pk, place.pk, "purchase", sum(units, D(0)) + 18)
        ledger.post([delivered], occurred_at=begin - timedelta(days=1), reason="Delivery")
        papers = [
            PastOrder(f"PAST-{sku}-{day}", begin + timedelta(days=day), [PastLine(product.pk, one, D(40))])
            for day, one in enumerate(units)
        ]
        record_history(papers, warehouse_id=place.pk)
    refit.refit()
