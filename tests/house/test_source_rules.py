"""Rules of DESIGN and STYLE that a syntax tree can show, each with an example that breaks it."""

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import pytest

SOURCE = r"src/"
# Migrations change tables by themselves, and no database binds the names in such a statement
# (docs/decisions/0013-migrations.md).
OUTSIDE_THE_STORE = r"src/tilth/(?!kernel/store/|runtime/migrate/)"
PURE = r"src/tilth/kernel/(schema|policy|plan)/"
TESTS = r"(tests|examples)/.*test_"
# Of a function that is a whole unit, and of the developer's own code.
UNITS = frozenset({"src/tilth/kernel/store/unit.py", "src/tilth/kernel/store/sessions/sessions.py"})

# Where an unforeseen error becomes an answer: for the client, for /readyz, for the waiting thread,
# for the developer whose file cannot be imported, for the event that will be delivered again, for
# the handlers of the developer that a shortcut went past, for who asks what became of accepted work.
EDGES = frozenset(
    {
        "src/tilth/runtime/web/middleware/guard.py",
        "src/tilth/runtime/web/middleware/shortcut.py",
        "src/tilth/runtime/web/health.py",
        "src/tilth/features/api/service/later/work.py",
        "src/tilth/runtime/relay/call.py",
        "src/tilth/kernel/store/drivers/sqlite.py",
        "src/tilth/kernel/store/unit.py",
        "src/tilth/cli/discover.py",
    }
)


class Parsed(Protocol):
    path: str
    tree: ast.Module


@dataclass(frozen=True, slots=True)
class Rule:
    """find: the lines that break it. where: pattern of paths it holds for. bad, good: examples."""

    name: str
    find: Callable[[ast.Module], Iterator[int]]
    where: str
    bad: tuple[str, ...]
    good: tuple[str, ...]
    exempt: frozenset[str] = frozenset()


def commits(tree: ast.Module) -> Iterator[int]:
    return (call.lineno for call in _calls(tree) if _callee(call) == "commit")


def transactions(tree: ast.Module) -> Iterator[int]:
    return (call.lineno for call in _calls(tree) if _callee(call) in {"begin", "begin_nested"})


def hidden_imports(tree: ast.Module) -> Iterator[int]:
    """Imports that the contracts of import-linter do not see."""
    names = {"__import__", "import_module"}
    return (call.lineno for call in _calls(tree) if _callee(call) in names)


def remembered_results(tree: ast.Module) -> Iterator[int]:
    """A cache around a function of the module or of a class; inside a function it has an owner."""
    bodies = [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))]
    for function in (node for body in bodies for node in body.body):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            names = {ast.unparse(each).partition("(")[0] for each in function.decorator_list}
            if {name.rpartition(".")[2] for name in names} & {"cache", "lru_cache"}:
                yield function.lineno


def awaits(tree: ast.Module) -> Iterator[int]:
    waiting = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    return (node.lineno for node in ast.walk(tree) if isinstance(node, waiting))


def broad_catches(tree: ast.Module) -> Iterator[int]:
    """Clean up and raise again is not a catch."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and _is_broad(node.type):
            last = node.body[-1]
            if not (isinstance(last, ast.Raise) and last.exc is None):
                yield node.lineno


def formatted_sql(tree: ast.Module) -> Iterator[int]:
    """Settings of a connection are the exception: no database binds values in those."""
    runners = {
        *("text", "literal_column", "DDL", "execute", "executemany", "executescript"),
        *("exec_driver_sql", "fetch", "fetchrow", "fetchval", "scalar", "scalars", "prepare"),
    }
    for call in _calls(tree):
        runs = _callee(call) in runners and call.args and _is_formatted(call.args[0])
        if runs and not re.match(r"(PRAGMA|SET|BEGIN) ", _first_text(call.args[0])):
            yield call.lineno


def state_to_fill(tree: ast.Module) -> Iterator[int]:
    """An empty container, or one of a kind made for filling, has no other use in a module.

    Nor in a class, all of whose objects would fill the same one.
    """
    growing = {
        *("defaultdict", "deque", "Counter", "OrderedDict", "WeakKeyDictionary"),
        *("WeakValueDictionary", "WeakSet"),
    }
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    values = (pair for body in (tree, *classes) for pair in _module_values(body))
    for name, value in values:
        made = _callee(value) if isinstance(value, ast.Call) else ""
        is_empty = made in {"dict", "list", "set"} and not (value.args or value.keywords)
        is_filled_later = is_empty or made in growing or _is_empty_literal(value)
        # SQLAlchemy asks every element of its expressions for this list.
        if is_filled_later and name.id != "_traverse_internals":
            yield name.lineno


def state_changed(tree: ast.Module) -> Iterator[int]:
    """`global`, or a container of the module that one of its functions changes."""
    names = {name.id for name, _ in _module_values(tree)}
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    for function in functions:
        names_here = names - _names_bound_in(function)
        for node in ast.walk(function):
            if isinstance(node, ast.Global) or _changed_name(node) in names_here:
                yield node.lineno


def patches_and_sleeps(tree: ast.Module) -> Iterator[int]:
    """A sleep in a function that the test serves is that function's behaviour."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom | ast.Import) and "mock" in ast.unparse(node):
            yield node.lineno
        if isinstance(node, ast.Call) and re.search(
            r"monkeypatch\.(set|del)(attr|item)", _dotted(node)
        ):
            yield node.lineno
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith(
            "test_"
        ):
            yield from (call.lineno for call in _own_calls(node) if _callee(call) == "sleep")


RULES = (
    Rule(
        "no commit outside the unit of work",
        commits,
        SOURCE,
        bad=("session.commit()", "def f(s):\n    return s.begin().commit()"),
        good=("commit = 1", "session.rollback()"),
        exempt=UNITS,
    ),
    Rule(
        "no transaction but in the store",
        transactions,
        OUTSIDE_THE_STORE,
        bad=(
            "async def f(s):\n    async with s.begin(): pass",
            "with session.begin_nested(): pass",
        ),
        good=("session.rollback()", "begin = 1"),
    ),
    Rule(
        "no import that the walls do not see",
        hidden_imports,
        SOURCE,
        bad=("def f(): return __import__('fastapi')", "importlib.import_module('x')"),
        good=("import json", "def f():\n    import json"),
        # The developer's own file.
        exempt=frozenset({"src/tilth/cli/discover.py"}),
    ),
    Rule(
        "no await in schema, policy and plan",
        awaits,
        PURE,
        bad=("async def f(): pass", "async def f():\n    async with x: pass"),
        good=("def f(): pass",),
    ),
    Rule(
        "no broad except but at the edges",
        broad_catches,
        SOURCE,
        bad=(
            "try: f()\nexcept Exception: pass",
            "try: f()\nexcept: pass",
            "try: f()\nexcept (ValueError, BaseException) as e: raise X from e",
        ),
        good=(
            "try: f()\nexcept ValueError: pass",
            "try: f()\nexcept BaseException:\n    g()\n    raise",
        ),
        exempt=EDGES,
    ),
    Rule(
        "no SQL from formatted strings",
        formatted_sql,
        r"(src/(?!tilth/runtime/migrate/)|examples/)",
        bad=(
            "c.execute(f'SELECT {x}')",
            "text('SELECT ' + x)",
            "c.execute('SELECT %s' % x)",
            "text('SELECT {}'.format(x))",
        ),
        good=("c.execute('SELECT 1')", "c.execute(f'PRAGMA {line}')", "c.execute(sql, [1])"),
    ),
    Rule(
        "no container of a module to be filled later",
        state_to_fill,
        SOURCE,
        bad=(
            "CACHE = {}",
            "_seen: set[str] = set()",
            "x = []",
            "x = defaultdict(list)",
            "class A:\n    cache: dict[str, str] = {}",
            "class A:\n    class B:\n        seen = WeakSet()",
        ),
        good=("X = {'a': 1}", "X: tuple[int, ...] = ()", "def f():\n    x = []"),
    ),
    Rule(
        # What remains for as long as the process must be as small as what the names of the two
        # dialects can make it.
        "no results remembered by a module",
        remembered_results,
        SOURCE,
        bad=(
            "@cache\ndef f(): pass",
            "@functools.lru_cache(maxsize=9)\ndef f(x): pass",
            "class A:\n    @lru_cache\n    def f(self): pass",
        ),
        good=("def f():\n    @cache\n    def g(): pass", "@cached_thing\ndef f(): pass"),
        exempt=frozenset({"src/tilth/kernel/schema/kinds.py"}),
    ),
    Rule(
        "no module state that changes",
        state_changed,
        SOURCE,
        bad=(
            "def f():\n    global x\n    x = 1",
            "X = {'a': 1}\ndef f():\n    X['b'] = 2",
            "X = {1}\ndef f():\n    X.add(2)",
            "X = [1]\nasync def f():\n    del X[0]",
        ),
        good=(
            "X = {'a': 1}\ndef f():\n    X = {}\n    X['b'] = 2",
            "X = {'a': 1}\ndef f(): return X['a']",
        ),
    ),
    Rule(
        "tests neither patch nor sleep",
        patches_and_sleeps,
        TESTS,
        bad=(
            "from unittest import mock",
            "def test_a(monkeypatch):\n    monkeypatch.setattr(x, 'y', 1)",
            "def test_a():\n    time.sleep(1)",
        ),
        good=(
            "def test_a(monkeypatch): monkeypatch.chdir(x)",
            "def test_a():\n    def slow(): sleep(1)",
        ),
    ),
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_repository_keeps_the_rule(rule: Rule, modules: Sequence[Parsed]) -> None:
    held = [m for m in modules if re.match(rule.where, m.path) and m.path not in rule.exempt]

    broken = [f"{module.path}:{line}" for module in held for line in rule.find(module.tree)]

    assert held
    assert broken == [], rule.name


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_rule_tells_good_from_bad(rule: Rule) -> None:
    missed = [code for code in rule.bad if not list(rule.find(ast.parse(code)))]
    blamed = [code for code in rule.good if list(rule.find(ast.parse(code)))]

    assert (missed, blamed) == ([], [])


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _own_calls(function: ast.AST) -> Iterator[ast.Call]:
    """Those in its own body, not in the functions it defines."""
    for node in ast.iter_child_nodes(function):
        if isinstance(node, ast.Call):
            yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _own_calls(node)


def _callee(call: ast.Call) -> str:
    return _dotted(call).rpartition(".")[2]


def _dotted(call: ast.Call) -> str:
    """`a.b.c` of `a.b.c()`; only the last name when something is called on the way."""
    name = call.func
    if isinstance(name, ast.Attribute) and isinstance(name.value, ast.Name):
        return f"{name.value.id}.{name.attr}"
    return name.attr if isinstance(name, ast.Attribute) else getattr(name, "id", "")


def _is_broad(caught: ast.expr | None) -> bool:
    if isinstance(caught, ast.Tuple):
        return any(map(_is_broad, caught.elts))
    return caught is None or getattr(caught, "id", "") in {"Exception", "BaseException"}


def _is_formatted(argument: ast.expr) -> bool:
    if isinstance(argument, ast.JoinedStr):
        return any(isinstance(part, ast.FormattedValue) for part in argument.values)
    if isinstance(argument, ast.BinOp):
        sides = (argument.left, argument.right)
        return any(isinstance(s, ast.JoinedStr) or _is_text(s) or _is_formatted(s) for s in sides)
    return isinstance(argument, ast.Call) and _callee(argument) == "format"


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _first_text(argument: ast.expr) -> str:
    texts = [n.value for n in ast.walk(argument) if isinstance(n, ast.Constant)]
    return str(texts[0]) if texts else ""


def _module_values(tree: ast.Module | ast.ClassDef) -> Iterator[tuple[ast.Name, ast.expr]]:
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            yield from ((target, node.value) for target in targets if isinstance(target, ast.Name))


def _is_empty_literal(value: ast.expr) -> bool:
    if isinstance(value, ast.Dict):
        return not value.keys
    return isinstance(value, ast.List) and not value.elts


def _names_bound_in(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    stored = {
        n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
    return stored | {n.arg for n in ast.walk(function.args) if isinstance(n, ast.arg)}


def _changed_name(node: ast.AST) -> str | None:
    """The name whose content a node changes."""
    changing = {
        *("append", "extend", "insert", "remove", "pop", "popitem", "clear", "add", "discard"),
        *("update", "setdefault", "sort", "reverse", "move_to_end", "appendleft"),
    }
    target: ast.AST | None = None
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        target = node.value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        target = node.func.value if node.func.attr in changing else None
    return target.id if isinstance(target, ast.Name) else None
