"""Warehouses, categories and units of measure over REST."""

from collections.abc import Callable, Mapping
from typing import Any

from django.db import IntegrityError, models, transaction
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from accounts.capabilities import CATALOG_READ, CATALOG_WRITE, STOCK_READ, WAREHOUSES_WRITE
from inventory.api.schemas import (
    CategoryShape,
    CategoryWriteShape,
    UnitShape,
    UnitWriteShape,
    WarehouseShape,
    WarehouseWriteShape,
)
from inventory.models import Category, UnitOfMeasure, Warehouse
from inventory.services import catalog, warehouses
from workbox.core import walls
from workbox.core.api import ApiView, Page, check_if_match, conditional, read_object, read_page
from workbox.core.db import transact
from workbox.core.errors import NotFound, RuleViolation
from workbox.core.numbers import QUANTITY_PLACES, to_json
from workbox.core.reading import Fields, Query
from workbox.core.schema import IDEMPOTENCY, IF_MATCH, answered, asked, in_path, in_query

PRIORITY_MAX = 10**6
WAREHOUSE_EXAMPLE = {
    "id": 1,
    "name": "Main store",
    "code": "MAIN",
    "address": "1 Harbour Street",
    "is_sellable": True,
    "priority": 1,
    "is_active": True,
    "created_at": "2026-01-15T10:30:00Z",
}
CATEGORY_EXAMPLE = {"id": 1, "name": "Electronics", "description": ""}
UNIT_EXAMPLE = {"id": 2, "code": "kg", "name": "Kilogram", "decimal_places": 3}


# What has rules of its own, or is shown by others; a warehouse's are in `WarehouseView.apply`.
SAVERS: Mapping[type[models.Model], Callable[[Any], object]] = {
    Category: catalog.save_category,
    UnitOfMeasure: catalog.save_unit,
}


def row_body(row: models.Model, names: tuple[str, ...]) -> dict[str, Any]:
    """A row under its field names."""
    return {name: getattr(row, name) for name in names}


def save_unique(row: models.Model, *names: str) -> None:
    """Save a row whose named columns nobody else may have, in any case; raises RuleViolation."""
    for name in names:
        value = getattr(row, name)
        if not value:
            raise RuleViolation(f"{name} may not be blank.", code=f"blank_{name}", fields={name: ["may not be blank"]})
        if type(row)._base_manager.filter(**{f"{name}__iexact": value}).exclude(pk=row.pk).exists():
            raise _taken(name, value)
    try:
        with transaction.atomic():
            SAVERS.get(type(row), type(row).save)(row)
    except IntegrityError as error:  # somebody was faster than the look above
        raise _taken(names[0], getattr(row, names[0])) from error


def _taken(name: str, value: str) -> RuleViolation:
    return RuleViolation(
        f"The {name} “{value}” is in use.", code=f"duplicate_{name}", fields={name: ["already in use"]}
    )


def locked(found: models.QuerySet[Any], row_id: int) -> Any:
    """The row, held until the transaction ends; raises NotFound."""
    row = found.select_for_update().filter(pk=row_id).first()
    if row is None:
        raise NotFound(f"There is no {found.model._meta.verbose_name} {row_id}.")
    return row


def rows_in_order(model: type[models.Model], names: tuple[str, ...]) -> Callable[[list[int]], list[Any]]:
    """A `rows_of` for `read_page`."""

    def rows(ids: list[int]) -> list[Any]:
        found = model._base_manager.in_bulk(ids)
        return [row_body(found[one], names) for one in ids if one in found]

    return rows


def seen(model: type[models.Model]) -> models.QuerySet[Any]:
    """The rows the asker may know of: of warehouses those inside their walls."""
    found = model._base_manager.all()
    return walls.within(found, "id") if model is Warehouse else found


class PlainListView(ApiView):
    """All rows of a small table; subclasses say which, and how a body is read."""

    pagination_class = Page
    model: type[models.Model]
    names: tuple[str, ...]
    order: tuple[str, ...]
    unique: tuple[str, ...]

    def found(self, query: Query) -> models.QuerySet[Any]:
        """What the list shows."""
        return seen(self.model).order_by(*self.order)

    def listed(self, request: Request) -> HttpResponse:
        """One page."""
        query = Query(request.GET)
        found = self.found(query)
        query.check()
        return conditional(request, to_json(read_page(request, found, rows_in_order(self.model, self.names))))

    def created(self, values: Mapping[str, Any]) -> HttpResponse:
        """A new row."""

        def work() -> tuple[int, Any]:
            row = self.model(**values)
            save_unique(row, *self.unique)
            return 201, row_body(row, self.names)

        return self.idempotent(work)


class PlainView(ApiView):
    """One row of a small table."""

    model: type[models.Model]
    names: tuple[str, ...]
    unique: tuple[str, ...]

    def fetched(self, request: Request, row_id: int) -> HttpResponse:
        """The row."""
        row = seen(self.model).filter(pk=row_id).first()
        if row is None:
            raise NotFound(f"There is no {self.model._meta.verbose_name} {row_id}.")
        return conditional(request, to_json(row_body(row, self.names)))

    def changed(self, request: Request, row_id: int, values: Mapping[str, Any]) -> HttpResponse:
        """The row with new values."""

        def work() -> tuple[int, Any]:
            row = locked(seen(self.model), row_id)
            check_if_match(request, lambda: row_body(row, self.names))
            self.apply(row, values)
            return 200, row_body(row, self.names)

        return self.idempotent(work)

    def apply(self, row: Any, values: Mapping[str, Any]) -> None:
        """Write the values."""
        for name, value in values.items():
            setattr(row, name, value)
        save_unique(row, *self.unique)


# ---- warehouses ------------------------------------------------------------------------------------------------------
WAREHOUSE_NAMES = ("id", "name", "code", "address", "is_sellable", "priority", "is_active", "created_at")


def read_warehouse(body: dict[str, Any], *, creating: bool) -> dict[str, Any]:
    """What the body says of a warehouse; a new one without a code gets one from its name."""
    fields = Fields(body)
    values: dict[str, Any] = {}
    for name, length in (("name", 100), ("code", 20), ("address", 300)):
        if fields.has(name):
            values[name] = fields.text(name, max_length=length)
    if fields.has("priority"):
        values["priority"] = fields.whole("priority", low=0, high=PRIORITY_MAX, default=0)
    for name in ("is_sellable",) if creating else ("is_sellable", "is_active"):
        if fields.has(name):
            values[name] = fields.boolean(name)
    if creating:
        fields.require("name")
    fields.check()
    if creating and not values.get("code"):
        values["code"] = "-".join(values["name"].upper().split())[:20]
    return values


class WarehousesView(PlainListView):
    """All warehouses."""

    required_capabilities = {"GET": STOCK_READ, "POST": WAREHOUSES_WRITE}
    model, names, order, unique = Warehouse, WAREHOUSE_NAMES, ("priority", "id"), ("name", "code")

    def found(self, query: Query) -> models.QuerySet[Any]:
        """Open ones, or all with `include_inactive`; `is_sellable` narrows."""
        found = super().found(query)
        if not query.boolean("include_inactive", default=False):
            found = found.filter(is_active=True)
        is_sellable = query.boolean("is_sellable")
        return found if is_sellable is None else found.filter(is_sellable=is_sellable)

    @extend_schema(
        summary="List warehouses",
        parameters=[in_query("is_sellable", bool), in_query("include_inactive", bool, text="Closed ones too.")],
        responses={200: WarehouseShape(many=True)},
        examples=[answered(WAREHOUSE_EXAMPLE)],
    )
    def get(self, request: Request) -> HttpResponse:
        """List warehouses."""
        return self.listed(request)

    @extend_schema(
        summary="Create a warehouse",
        description="Without a `code` one is made from the name.",
        parameters=[IDEMPOTENCY],
        request=WarehouseWriteShape,
        responses={201: WarehouseShape},
        examples=[asked({"name": "Main store", "code": "MAIN", "priority": 1}), answered(WAREHOUSE_EXAMPLE, 201)],
    )
    def post(self, request: Request) -> HttpResponse:
        """Create a warehouse."""
        return self.created(read_warehouse(read_object(request), creating=True))


class WarehouseView(PlainView):
    """One warehouse."""

    required_capabilities = {
        "GET": STOCK_READ,
        "PUT": WAREHOUSES_WRITE,
        "PATCH": WAREHOUSES_WRITE,
        "DELETE": WAREHOUSES_WRITE,
    }
    model, names, unique = Warehouse, WAREHOUSE_NAMES, ("name", "code")

    def apply(self, row: Any, values: Mapping[str, Any]) -> None:
        """Selling and closing are rules of the stock; the rest is plain."""
        own = {name: value for name, value in values.items() if name != "is_sellable"}
        if own.get("is_active") is False and row.is_active:
            warehouses.close_warehouse(row.pk)
            row.is_active = False
        before = {name: getattr(row, name) for name in own}
        super().apply(row, own)
        warehouses.record_place(row.pk, before=before, after=own)
        if "is_sellable" in values:
            warehouses.set_sellable(row.pk, is_sellable=values["is_sellable"])
            row.is_sellable = values["is_sellable"]

    @extend_schema(
        summary="Get a warehouse",
        parameters=[in_path("warehouse_id")],
        responses={200: WarehouseShape},
        examples=[answered(WAREHOUSE_EXAMPLE)],
    )
    def get(self, request: Request, warehouse_id: str) -> HttpResponse:
        """Get a warehouse."""
        return self.fetched(request, int(warehouse_id))

    @extend_schema(
        summary="Change a warehouse (partial body allowed)",
        description="A warehouse that orders hold stock in cannot stop selling; one with stock cannot be closed.",
        parameters=[in_path("warehouse_id"), IF_MATCH],
        request=WarehouseWriteShape,
        responses={200: WarehouseShape},
        examples=[asked({"name": "Main store", "is_sellable": True}), answered(WAREHOUSE_EXAMPLE)],
    )
    def put(self, request: Request, warehouse_id: str) -> HttpResponse:
        """Change a warehouse."""
        return self.changed(request, int(warehouse_id), read_warehouse(read_object(request), creating=False))

    @extend_schema(
        summary="Change a warehouse",
        description="The same as PUT.",
        parameters=[in_path("warehouse_id"), IF_MATCH],
        request=WarehouseWriteShape,
        responses={200: WarehouseShape},
        examples=[asked({"priority": 1}), answered(WAREHOUSE_EXAMPLE)],
    )
    def patch(self, request: Request, warehouse_id: str) -> HttpResponse:
        """Change a warehouse."""
        return self.changed(request, int(warehouse_id), read_warehouse(read_object(request), creating=False))

    @extend_schema(
        summary="Close a warehouse",
        description="Possible when it is empty; its history stays.",
        parameters=[in_path("warehouse_id")],
        responses={204: None},
    )
    def delete(self, request: Request, warehouse_id: str) -> HttpResponse:
        """Close a warehouse."""

        def work() -> None:
            row = locked(seen(Warehouse), int(warehouse_id))
            check_if_match(request, lambda: row_body(row, self.names))
            warehouses.close_warehouse(row.pk)

        transact(work)
        return HttpResponse(status=204)


# ---- categories and units --------------------------------------------------------------------------------------------
CATEGORY_NAMES = ("id", "name", "description")
UNIT_NAMES = ("id", "code", "name", "decimal_places")


def read_category(body: dict[str, Any], *, creating: bool) -> dict[str, Any]:
    """What the body says of a category."""
    fields = Fields(body)
    values = {
        name: fields.text(name, max_length=length)
        for name, length in (("name", 100), ("description", 500))
        if fields.has(name)
    }
    if creating:
        fields.require("name")
    fields.check()
    return values


def read_unit(body: dict[str, Any], *, creating: bool) -> dict[str, Any]:
    """What the body says of a unit of measure; without a name the code is its name."""
    fields = Fields(body)
    values: dict[str, Any] = {
        name: fields.text(name, max_length=length) for name, length in (("code", 20), ("name", 60)) if fields.has(name)
    }
    if fields.has("decimal_places"):
        values["decimal_places"] = fields.whole("decimal_places", low=0, high=QUANTITY_PLACES, default=0)
    if creating:
        fields.require("code")
    fields.check()
    return {"name": values["code"], **values} if creating else values


class CategoriesView(PlainListView):
    """All categories."""

    required_capabilities = {"GET": CATALOG_READ, "POST": CATALOG_WRITE}
    model, names, order, unique = Category, CATEGORY_NAMES, ("name", "id"), ("name",)

    def found(self, query: Query) -> models.QuerySet[Any]:
        """Those whose name contains `search`."""
        text = query.text("search", max_length=100)
        return super().found(query).filter(name__icontains=text) if text else super().found(query)

    @extend_schema(
        summary="List categories",
        parameters=[in_query("search", text="Part of the name.")],
        responses={200: CategoryShape(many=True)},
        examples=[answered(CATEGORY_EXAMPLE)],
    )
    def get(self, request: Request) -> HttpResponse:
        """List categories."""
        return self.listed(request)

    @extend_schema(
        summary="Create a category",
        parameters=[IDEMPOTENCY],
        request=CategoryWriteShape,
        responses={201: CategoryShape},
        examples=[asked({"name": "Electronics"}), answered(CATEGORY_EXAMPLE, 201)],
    )
    def post(self, request: Request) -> HttpResponse:
        """Create a category."""
        return self.created(read_category(read_object(request), creating=True))


class CategoryView(PlainView):
    """One category."""

    required_capabilities = {"GET": CATALOG_READ, "PUT": CATALOG_WRITE, "PATCH": CATALOG_WRITE}
    model, names, unique = Category, CATEGORY_NAMES, ("name",)

    @extend_schema(
        summary="Get a category",
        parameters=[in_path("category_id")],
        responses={200: CategoryShape},
        examples=[answered(CATEGORY_EXAMPLE)],
    )
    def get(self, request: Request, category_id: str) -> HttpResponse:
        """Get a category."""
        return self.fetched(request, int(category_id))

    @extend_schema(
        summary="Change a category (partial body allowed)",
        parameters=[in_path("category_id"), IF_MATCH],
        request=CategoryWriteShape,
        responses={200: CategoryShape},
        examples=[asked({"name": "Electronics"}), answered(CATEGORY_EXAMPLE)],
    )
    def put(self, request: Request, category_id: str) -> HttpResponse:
        """Change a category."""
        return self.changed(request, int(category_id), read_category(read_object(request), creating=False))

    @extend_schema(
        summary="Change a category",
        parameters=[in_path("category_id"), IF_MATCH],
        request=CategoryWriteShape,
        responses={200: CategoryShape},
        examples=[asked({"description": "With a plug"}), answered(CATEGORY_EXAMPLE)],
    )
    def patch(self, request: Request, category_id: str) -> HttpResponse:
        """Change a category."""
        return self.changed(request, int(category_id), read_category(read_object(request), creating=False))


class UnitsView(PlainListView):
    """All units of measure."""

    required_capabilities = {"GET": CATALOG_READ, "POST": CATALOG_WRITE}
    model, names, order, unique = UnitOfMeasure, UNIT_NAMES, ("code", "id"), ("code",)

    @extend_schema(
        summary="List units of measure", responses={200: UnitShape(many=True)}, examples=[answered(UNIT_EXAMPLE)]
    )
    def get(self, request: Request) -> HttpResponse:
        """List units of measure."""
        return self.listed(request)

    @extend_schema(
        summary="Create a unit of measure",
        description="`decimal_places`: how finely quantities may be divided; 0 for pieces, 3 for grams in a kilogram.",
        parameters=[IDEMPOTENCY],
        request=UnitWriteShape,
        responses={201: UnitShape},
        examples=[asked({"code": "kg", "name": "Kilogram", "decimal_places": 3}), answered(UNIT_EXAMPLE, 201)],
    )
    def post(self, request: Request) -> HttpResponse:
        """Create a unit of measure."""
        return self.created(read_unit(read_object(request), creating=True))


class UnitView(PlainView):
    """One unit of measure."""

    required_capabilities = {"GET": CATALOG_READ, "PUT": CATALOG_WRITE, "PATCH": CATALOG_WRITE}
    model, names, unique = UnitOfMeasure, UNIT_NAMES, ("code",)

    @extend_schema(
        summary="Get a unit of measure",
        parameters=[in_path("unit_id")],
        responses={200: UnitShape},
        examples=[answered(UNIT_EXAMPLE)],
    )
    def get(self, request: Request, unit_id: str) -> HttpResponse:
        """Get a unit of measure."""
        return self.fetched(request, int(unit_id))

    @extend_schema(
        summary="Change a unit of measure (partial body allowed)",
        description="Fewer `decimal_places` are refused (409) while there is stock that is finer.",
        parameters=[in_path("unit_id"), IF_MATCH],
        request=UnitWriteShape,
        responses={200: UnitShape},
        examples=[asked({"name": "Kilogram"}), answered(UNIT_EXAMPLE)],
    )
    def put(self, request: Request, unit_id: str) -> HttpResponse:
        """Change a unit of measure."""
        return self.changed(request, int(unit_id), read_unit(read_object(request), creating=False))

    @extend_schema(
        summary="Change a unit of measure",
        parameters=[in_path("unit_id"), IF_MATCH],
        request=UnitWriteShape,
        responses={200: UnitShape},
        examples=[asked({"name": "Kilogram"}), answered(UNIT_EXAMPLE)],
    )
    def patch(self, request: Request, unit_id: str) -> HttpResponse:
        """Change a unit of measure."""
        return self.changed(request, int(unit_id), read_unit(read_object(request), creating=False))
