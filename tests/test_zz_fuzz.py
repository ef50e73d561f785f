"""Requests nobody would write by hand, made from our OpenAPI document: no 5xx, no status that it does not name.

In one process, a few examples per operation, always the same ones.
"""

from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application

from accounts.models import User
from accounts.tokens import issue_pair
from inventory.models import Product, Warehouse
from tests.client import Api

EXAMPLES = 25
# Ends every token of the account that asks; its own tests are in accounts.
LEFT_OUT = ("/auth/logout",)


def operations() -> dict[str, Any]:
    """Every operation of the document, by name."""
    schema: Any = schemathesis.openapi.from_wsgi("/api/schema", get_wsgi_application())
    found = [one.ok() for one in schema.get_all_operations()]
    return {one.label: one for one in found if not one.path.rstrip("/").endswith(LEFT_OUT)}


def asked(operation: Any, headers: dict[str, str], ids: dict[str, int]) -> list[tuple[int, str]]:
    """(status, what was sent and answered) of every example; every second one names things that exist."""
    seen: list[tuple[int, str]] = []

    @hypothesis.seed(20261121)
    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
    )
    @hypothesis.given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        if len(seen) % 2 and case.path_parameters:
            case.path_parameters = {name: ids.get(name, 1) for name in case.path_parameters}
        if isinstance(case.body, dict) and len(seen) % 2:
            case.body |= {name: ids[name] for name in case.body.keys() & ids.keys()}
        response = case.call(headers=headers)
        seen.append((response.status_code, f"{case.as_curl_command()[:500]} → {response.text[:300]}"))

    ask()
    return seen


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_no_request_breaks_the_server(
    make_user: Callable[..., User],
    make_product: Callable[..., Product],
    main: Warehouse,
    client_of: Callable[[User], Api],
) -> None:
    user = make_user("manager")
    lamp = make_product("Lamp", stock=50)
    order = client_of(user)("POST", "orders", {"items": [{"product_id": lamp.pk, "quantity": 1}]}).json()["id"]
    ids = {"product_id": lamp.pk, "warehouse_id": main.pk, "order_id": order, "unit_id": lamp.unit_id}
    # schemathesis offers gzip on its own account and then reads the bytes as they are
    headers = {"Authorization": f"Bearer {issue_pair(user).access}", "Accept-Encoding": "identity"}
    broken, good = {}, 0
    every = operations()
    for label, operation in every.items():
        documented = {int(status) for status in operation.definition.raw["responses"]}
        seen = asked(operation, headers, ids)
        good += sum(status < 400 for status, _ in seen)
        broken |= {f"{label} {status}": text for status, text in seen if status not in documented}
    assert broken == {}
    assert len(every) > 60
    assert good > 50, "nearly everything was refused: the examples no longer reach the rules"
