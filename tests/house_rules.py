"""The rules of the house that no linter knows, as checks on Python source; test_house_rules.py holds them to our files.

Each rule carries snippets it must refuse and snippets it must let pass, so that a rule which can no longer fail is
itself a failing test.
"""

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass

ROOMS = ("accounts", "inventory", "orders", "purchasing", "insights", "workbox")
# The one door to stock: the ledger and the reservations decide, and levels.py holds the SQL both change it with.
STOCK_SQL = "inventory/services/levels.py"
LEDGER = "inventory/services/ledger.py"
RESERVATIONS = "inventory/services/reservations.py"
HOLDS = "inventory/services/holds.py"
_SWITCHED_OFF = re.compile(r"#\s*(type: ignore(\[[^\]]*\])?|noqa(:\s*[A-Z0-9, ]+)?)\s*$")
WRITE_METHODS = {"create", "bulk_create", "get_or_create", "update_or_create", "acreate", "abulk_create"}

Finding = tuple[int, str]
Check = Callable[[ast.Module, str], Iterator[Finding]]


def silent_ignores(source: str) -> list[int]:
    """Lines that switch a check off without a word why; a text about such comments is none."""
    return [
        token.start[0]
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT and _SWITCHED_OFF.search(token.string)
    ]


# ---- reading Python --------------------------------------------------------------------------------------------------
def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def name_of(function: ast.expr) -> str:
    """The last part of what is called: `a.b.update(…)` → `update`."""
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every string, f-strings with `{}` where a value goes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
        elif isinstance(node, ast.JoinedStr):
            parts = [str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values]
            yield node.lineno, "".join(parts)


def mentions(node: ast.AST, text: str) -> bool:
    return any(isinstance(part, ast.Constant) and part.value == text for part in ast.walk(node))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every imported name in full: `from a import b` → `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


# ---- checks ----------------------------------------------------------------------------------------------------------
def writes_column(column: str) -> Check:
    """Finds code that changes a column of the stock level, through the ORM or in SQL."""
    in_sql = re.compile(rf"\bSET\b(?:(?!\bWHERE\b).)*\b{column}\s*=", re.IGNORECASE | re.DOTALL)

    def by_call(call: ast.Call) -> bool:
        called = name_of(call.func)
        keywords = {keyword.arg for keyword in call.keywords}
        if called in WRITE_METHODS | {"update", "aupdate", "StockLevel"} and column in keywords:
            return True
        return called in {*WRITE_METHODS, "bulk_update", "save", "setattr", "insert_rows"} and mentions(call, column)

    def check(tree: ast.Module, _path: str) -> Iterator[Finding]:
        yield from ((call.lineno, f"writes {column}") for call in calls(tree) if by_call(call))
        yield from ((line, f"writes {column} in SQL") for line, text in texts(tree) if in_sql.search(text))
        for node in ast.walk(tree):
            targets = node.targets if isinstance(node, ast.Assign) else []
            if isinstance(node, ast.AugAssign):
                targets = [node.target]
            if any(isinstance(target, ast.Attribute) and target.attr == column for target in targets):
                yield node.lineno, f"assigns {column}"

    return check


def writes_table(*tables: str) -> Check:
    """Finds SQL that creates, changes or deletes rows of these tables."""
    statement = r"INSERT\s+(IGNORE\s+)?INTO|REPLACE\s+INTO|UPDATE|DELETE\s+FROM|TRUNCATE(\s+TABLE)?"
    pattern = re.compile(rf"\b({statement})\s+`?({'|'.join(tables)})\b", re.IGNORECASE)

    def check(tree: ast.Module, _path: str) -> Iterator[Finding]:
        yield from ((line, f"writes with {text.split()[0]}") for line, text in texts(tree) if pattern.search(text))

    return check


def writes_rows_of(model: str, table: str) -> Check:
    """Finds code that creates, changes or deletes rows of a table that is only added to, through the ORM or in SQL."""
    argument = re.compile(rf"\b{model}\b|\b{table}\b")
    changing = WRITE_METHODS | {"update", "delete", "bulk_update", "aupdate", "adelete", "_raw_delete"}

    def by_call(call: ast.Call) -> bool:
        called = name_of(call.func)
        if called == "insert_rows":
            return bool(call.args and argument.search(ast.unparse(call.args[0])))
        if isinstance(call.func, ast.Name) and called == model:
            return True
        return called in changing and bool(re.search(rf"\b{model}\.objects\b", ast.unparse(call)))

    def check(tree: ast.Module, path: str) -> Iterator[Finding]:
        yield from ((call.lineno, f"writes {model} rows") for call in calls(tree) if by_call(call))
        yield from writes_table(table)(tree, path)

    return check


def imports_exactly(module: str, name: str) -> Check:
    """Finds `from module import name`, and calls of `name` through the imported module."""
    last = module.rpartition(".")[2]

    def check(tree: ast.Module, _path: str) -> Iterator[Finding]:
        wanted = f"{module}.{name}"
        yield from ((line, f"imports {found}") for line, found in imported(tree) if found == wanted)
        for call in calls(tree):
            if ast.unparse(call.func).endswith((f"{last}.{name}", wanted)):
                yield call.lineno, f"calls {last}.{name}"

    return check


def blind_except(tree: ast.Module, _path: str) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "everything"
            passed_on = any(isinstance(part, ast.Raise) for part in ast.walk(node))
            if not passed_on and (node.type is None or re.search(r"\b(Base)?Exception\b", caught)):
                yield node.lineno, f"catches {caught}"


def catches_database_trouble(tree: ast.Module, _path: str) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and node.type:
            caught = ast.unparse(node.type)
            if re.search(r"\b(OperationalError|InterfaceError|DatabaseError)\b", caught):
                yield node.lineno, f"catches {caught}: only the outermost level may retry"


def import_in_function(tree: ast.Module, _path: str) -> Iterator[Finding]:
    for function in functions(tree):
        for node in ast.walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield node.lineno, f"import inside {function.name}()"


def proves_nothing(tree: ast.Module, _path: str) -> Iterator[Finding]:
    for function in functions(tree):
        if not function.name.startswith("test_"):
            continue
        called = {name_of(call.func) for call in calls(function)}
        asserts = any(isinstance(node, ast.Assert) for node in ast.walk(function))
        # Playwright's `expect(…).to_…()` waits and then asserts.
        proves = called & {"raises", "warns", "fail", "expect"} or any(
            re.match(r"(django_)?assert", name) for name in called
        )
        if not asserts and not proves:
            yield function.lineno, f"{function.name} asserts nothing"


def undocumented_service(tree: ast.Module, path: str) -> Iterator[Finding]:
    if not re.search(r"/services(/|\.py$)", path):
        return
    for node in tree.body:
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if is_function and not node.name.startswith("_") and not ast.get_docstring(node):
            yield node.lineno, f"{node.name}() has no docstring"


def calls_named(name: str) -> Check:
    def check(tree: ast.Module, _path: str) -> Iterator[Finding]:
        yield from ((call.lineno, f"calls {name}") for call in calls(tree) if name_of(call.func) == name)

    return check


def imports_of(library: str) -> Check:
    def check(tree: ast.Module, _path: str) -> Iterator[Finding]:
        pattern = re.compile(rf"{library}(\.|$)")
        yield from ((line, f"imports {name}") for line, name in imported(tree) if pattern.match(name))

    return check


def foreign_edge(tree: ast.Module, path: str) -> Iterator[Finding]:
    """An app's api, admin and tasks are its own affair: only its own modules and the front door import them."""
    own = path.partition("/")[0]
    for line, name in imported(tree):
        app, _, rest = name.partition(".")
        if app in ROOMS and app not in {own, "workbox"} and rest.split(".")[0] in {"api", "admin", "tasks"}:
            yield line, f"imports {name}"


def pure_module_imports_django(tree: ast.Module, path: str) -> Iterator[Finding]:
    if path == "insights/forecasting.py":
        yield from imports_of("(django|rest_framework|workbox|inventory|orders|accounts)")(tree, path)


@dataclass(frozen=True)
class Rule:
    name: str
    check: Check
    refuses: tuple[str, ...]
    lets_pass: tuple[str, ...]
    allowed: frozenset[str] = frozenset()  # files or folders (ending in /) that may
    in_tests_too: bool = False
    seen_from: str = "orders/services.py"  # where the snippets pretend to stand

    def findings(self, source: str, path: str) -> list[str]:
        if any(path == place or (place.endswith("/") and path.startswith(place)) for place in self.allowed):
            return []
        return [f"{path}:{line}: {what}" for line, what in self.check(ast.parse(source), path)]


RULES = [
    Rule(
        "on_hand changes in one place",
        writes_column("on_hand"),
        allowed=frozenset({STOCK_SQL}),
        refuses=(
            "level.on_hand -= 1",
            "StockLevel.objects.filter(id=1).update(on_hand=F('on_hand') - 1)",
            "cursor.execute('UPDATE inventory_stocklevel SET reserved = 0,\\n on_hand = on_hand - %s WHERE id = 1')",
            "cursor.execute(f'UPDATE {TABLE} SET on_hand = {case} WHERE id IN ({ids})')",
            "StockLevel.objects.get_or_create(product=p, defaults={'on_hand': 5})",
            "StockLevel.objects.bulk_update(levels, ['on_hand'])",
            "setattr(level, 'on_hand', 3)",
            "StockLevel(product=p, on_hand=3)",
        ),
        lets_pass=(
            "available = level.on_hand - level.reserved",
            "StockLevel.objects.filter(on_hand__gte=1).annotate(total=Sum('on_hand'))",
            "cursor.execute('SELECT on_hand FROM inventory_stocklevel WHERE on_hand = 0')",
            "cursor.execute('UPDATE orders_order SET status = %s WHERE on_hand = 0')",
        ),
    ),
    Rule(
        "reserved changes in one place",
        writes_column("reserved"),
        allowed=frozenset({STOCK_SQL}),
        refuses=("level.reserved += 1", "levels.update(reserved=0)", "run('UPDATE t SET reserved = reserved + 1')"),
        lets_pass=("Fact(reserved=level.reserved)", "run('SELECT reserved FROM t WHERE reserved = 1')"),
    ),
    Rule(
        "SQL that writes stock levels and totals stands in one place",
        writes_table("inventory_stocklevel", "inventory_productstock"),
        allowed=frozenset({STOCK_SQL}),
        refuses=(
            "cursor.execute(f'UPDATE inventory_stocklevel SET {assignments}')",
            "cursor.execute('DELETE FROM `inventory_productstock` WHERE id = 1')",
            "cursor.execute('INSERT IGNORE INTO inventory_stocklevel (id) VALUES (1)')",
        ),
        lets_pass=("cursor.execute('SELECT 1 FROM inventory_stocklevel FOR UPDATE')",),
    ),
    Rule(
        "only the ledger and the reservations move stock",
        imports_exactly("inventory.services.levels", "change"),
        allowed=frozenset({STOCK_SQL, LEDGER, RESERVATIONS, HOLDS}),
        refuses=(
            "from inventory.services.levels import Delta, change",
            "from inventory.services import levels\nlevels.change({})",
            "import inventory.services.levels\ninventory.services.levels.change({})",
        ),
        lets_pass=("from inventory.services.levels import read_shelf", "ledger.exchange({})"),
    ),
    Rule(
        "only the ledger writes stock movements",
        writes_rows_of("StockMovement", "inventory_stockmovement"),
        allowed=frozenset({LEDGER}),
        refuses=(
            "StockMovement.objects.create(quantity=1)",
            "StockMovement(quantity=1).save()",
            "StockMovement.objects.filter(id=1).delete()",
            "StockMovement.objects.filter(id=1).update(quantity=2)",
            "insert_rows('inventory_stockmovement', COLUMNS, rows)",
            "insert_rows(StockMovement._meta.db_table, COLUMNS, rows)",
            "cursor.execute('DELETE FROM inventory_stockmovement WHERE id = 1')",
        ),
        lets_pass=(
            "StockMovement.objects.filter(product=p).order_by('id')",
            "cursor.execute('SELECT * FROM inventory_stockmovement')",
        ),
    ),
    Rule(
        "only workbox/core/events.py writes the event log",
        writes_rows_of("Event", "core_event"),
        allowed=frozenset({"workbox/core/events.py"}),
        refuses=(
            "Event.objects.create(type='x')",
            "Event.objects.bulk_create([])",
            "insert_rows(Event._meta.db_table, COLUMNS, rows)",
            "cursor.execute('UPDATE core_event SET seq = 1')",
        ),
        lets_pass=(
            "events.append([NewEvent(type='x')])",
            "OrderEvent.objects.create(order=o)",
            "Event.objects.first()",
        ),
    ),
    Rule(
        "only workbox/core/changes.py writes the history of values",
        writes_rows_of("FieldChange", "core_fieldchange"),
        allowed=frozenset({"workbox/core/changes.py"}),
        refuses=(
            "FieldChange.objects.create(field='price')",
            "insert_rows(FieldChange._meta.db_table, COLUMNS, rows)",
            "cursor.execute('DELETE FROM core_fieldchange')",
        ),
        lets_pass=("history.record([Change('product', 1, 'price', '1', '2')])", "FieldChange.objects.first()"),
    ),
    Rule(
        "nobody catches what they cannot name",
        blind_except,
        allowed=frozenset({"workbox/core/supervised.py"}),
        refuses=("try:\n    f()\nexcept:\n    pass", "try:\n    f()\nexcept (KeyError, Exception):\n    pass"),
        lets_pass=("try:\n    f()\nexcept KeyError:\n    pass", "try:\n    f()\nexcept Exception:\n    raise"),
    ),
    Rule(
        "only the ground floor catches a database that gave way or went away",
        catches_database_trouble,
        allowed=frozenset({"workbox/core/", "workbox/management/commands/doctor.py"}),
        refuses=(
            "try:\n    f()\nexcept OperationalError:\n    f()",
            "try:\n    f()\nexcept db.DatabaseError:\n    f()",
        ),
        lets_pass=("try:\n    f()\nexcept IntegrityError:\n    pass",),
    ),
    Rule(
        "imports stand at the top",
        import_in_function,
        in_tests_too=True,
        refuses=("def f():\n    import os", "class A:\n    async def f(self):\n        from a import b"),
        lets_pass=("import os\nif os:\n    import json",),
    ),
    Rule(
        "the outside world hears of a change through the event log only",
        calls_named("on_commit"),
        allowed=frozenset({"workbox/core/"}),
        refuses=("transaction.on_commit(f)",),
        lets_pass=("on_commit_count = 1",),
    ),
    Rule(
        "nobody sends to sockets past the stream",
        calls_named("group_send"),
        allowed=frozenset({"workbox/core/"}),
        refuses=("layer.group_send('a', {})",),
        lets_pass=("group_sender()",),
    ),
    Rule(
        "a public service says what becomes true",
        undocumented_service,
        refuses=("def ship(order):\n    return order",),
        lets_pass=("def ship(order):\n    'The order is shipped.'", "def _lock(order):\n    return order"),
    ),
    Rule(
        "only accounts/tokens.py knows the token library",
        imports_of("rest_framework_simplejwt"),
        allowed=frozenset({"accounts/tokens.py"}),
        refuses=("from rest_framework_simplejwt.tokens import AccessToken", "import rest_framework_simplejwt"),
        lets_pass=("from accounts import tokens",),
    ),
    Rule(
        "an app's api, admin and tasks are its own",
        foreign_edge,
        refuses=("from inventory.api.serializers import S", "from inventory import tasks", "import accounts.admin"),
        lets_pass=(
            "from orders.api import views",
            "from inventory.services import ledger",
            "from workbox.core import api",
        ),
    ),
    Rule(
        "forecasting is pure arithmetic",
        pure_module_imports_django,
        seen_from="insights/forecasting.py",
        refuses=("from django.db import models", "import inventory.models"),
        lets_pass=("import math",),
    ),
    Rule(
        "every test asserts",
        proves_nothing,
        in_tests_too=True,
        seen_from="tests/test_x.py",
        refuses=("def test_a():\n    f()", "async def test_b():\n    await f()"),
        lets_pass=(
            "def test_a():\n    assert f()",
            "def test_b():\n    with pytest.raises(KeyError):\n        f()",
            "def test_c():\n    assert_ledger_balances()",
            "def test_d():\n    expect(page).to_have_title('Home')",
            "def world():\n    f()",
        ),
    ),
]
