"""The words for what somebody may do, and which role may do what. Plain constants: no database, no Django models."""

from collections.abc import Mapping
from types import MappingProxyType

from django.db import models

CATALOG_READ = "catalog.read"
CATALOG_WRITE = "catalog.write"
STOCK_READ = "stock.read"  # how much there is, and where
LEDGER_READ = "ledger.read"  # how it came to be: movements, operations, counts, transfers; and what it cost
STOCK_POST = "stock.post"
ORDERS_PLACE = "orders.place"  # own orders: place, see, confirm or cancel while pending
ORDERS_READ = "orders.read"  # everybody's orders
ORDERS_FULFIL = "orders.fulfil"  # ship, deliver, return
ORDERS_MANAGE = "orders.manage"  # confirm and cancel any, order for others, counter sale
WAREHOUSES_WRITE = "warehouses.write"
USERS_READ = "users.read"
USERS_WRITE = "users.write"
EVENTS_READ = "events.read"
METRICS_READ = "metrics.read"
SETTINGS_WRITE = "settings.write"
PURCHASING_READ = "purchasing.read"  # vendors, their prices, purchase orders
PURCHASING_WRITE = "purchasing.write"
PURCHASING_RECEIVE = "purchasing.receive"  # book what a vendor delivered
ALERTS_READ = "alerts.read"
ALERTS_WRITE = "alerts.write"  # acknowledge, snooze, resolve
ALERTS_SETTINGS = "alerts.settings"  # when alerts are raised and who is mailed
REPORTS_READ = "reports.read"  # sales figures, insights, dashboard
FORECASTS_READ = "forecasts.read"
FORECASTS_WRITE = "forecasts.write"  # train, clear
EXPORTS_READ = "exports.read"  # start report and export jobs, fetch their files
IMPORTS_WRITE = "imports.write"
WEBHOOKS_WRITE = "webhooks.write"

CAPABILITIES = frozenset(
    {
        CATALOG_READ,
        CATALOG_WRITE,
        STOCK_READ,
        LEDGER_READ,
        STOCK_POST,
        ORDERS_PLACE,
        ORDERS_READ,
        ORDERS_FULFIL,
        ORDERS_MANAGE,
        WAREHOUSES_WRITE,
        USERS_READ,
        USERS_WRITE,
        EVENTS_READ,
        METRICS_READ,
        SETTINGS_WRITE,
        PURCHASING_READ,
        PURCHASING_WRITE,
        PURCHASING_RECEIVE,
        ALERTS_READ,
        ALERTS_WRITE,
        ALERTS_SETTINGS,
        REPORTS_READ,
        FORECASTS_READ,
        FORECASTS_WRITE,
        EXPORTS_READ,
        IMPORTS_WRITE,
        WEBHOOKS_WRITE,
    }
)


class Role(models.TextChoices):
    """The five roles; what they may do stands in ROLE_CAPABILITIES."""

    USER = "user", "User"
    CLERK = "clerk", "Clerk"
    MANAGER = "manager", "Manager"
    ANALYST = "analyst", "Analyst"
    ADMIN = "admin", "Admin"


STAFF_ROLES = frozenset({Role.CLERK.value, Role.MANAGER.value, Role.ANALYST.value, Role.ADMIN.value})

_USER = frozenset({CATALOG_READ, STOCK_READ, ORDERS_PLACE})
ROLE_CAPABILITIES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        Role.USER.value: _USER,
        Role.CLERK.value: _USER
        | {
            LEDGER_READ,
            STOCK_POST,
            ORDERS_READ,
            ORDERS_FULFIL,
            ORDERS_MANAGE,
            EVENTS_READ,
            PURCHASING_READ,
            PURCHASING_RECEIVE,
            ALERTS_READ,
            ALERTS_WRITE,
            REPORTS_READ,
            FORECASTS_READ,
        },
        Role.MANAGER.value: CAPABILITIES - {SETTINGS_WRITE},
        Role.ANALYST.value: frozenset(capability for capability in CAPABILITIES if capability.endswith(".read")),
        Role.ADMIN.value: CAPABILITIES,
    }
)

# Of the whole shop, or a way around a wall: not for those who are bound to warehouses, whatever their role.
WHOLE_SHOP = frozenset({USERS_WRITE, WEBHOOKS_WRITE, SETTINGS_WRITE, ALERTS_SETTINGS})


def capabilities_of(role: str, *, bound: bool) -> frozenset[str]:
    """What the role may do; who is bound to warehouses may not change what is of the whole shop."""
    found = ROLE_CAPABILITIES.get(role, frozenset())
    return found - WHOLE_SHOP if bound else found


# Whose accounts a role may create and change, and which roles it may give: the roles below its own.
MANAGEABLE_ROLES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        Role.MANAGER.value: frozenset({Role.USER.value, Role.CLERK.value, Role.ANALYST.value}),
        Role.ADMIN.value: frozenset(Role.values),
    }
)
