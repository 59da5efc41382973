"""What the code of a revision tells before it is run: whether it can be undone, what it may lose."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from alembic.runtime.migration import RevisionStep
from alembic.script import Script

from tilth.errors import Finding
from tilth.runtime.migrate.codes import finding_of

DESTROYING = frozenset(
    {"drop_table", "drop_column", "alter_column", "batch_alter_table", "execute"}
)
"""Calls after which a row may not be what it was. On SQLite most of them copy the table."""

NOTHING_TO_UNDO = frozenset({"backfill", "get_context", "autocommit_block"})


def irreversible_findings(script: Script) -> Iterator[Finding]:
    """Why its downgrade does not undo it."""
    path = Path(script.path)
    functions = _functions(path)
    up, down = functions.get("upgrade"), functions.get("downgrade")
    if "irreversible" in _calls(down):
        yield _finding(path, down, "says that it cannot be undone.", "Restore a backup instead.")
    elif up is not None and _does_something(up) and not _calls(down):
        yield _finding(
            path,
            down or up,
            "has a downgrade that does nothing, although its upgrade does something.",
            'Write it, or say why there is none: irreversible("…").',
        )


def is_destructive(step: RevisionStep) -> bool:
    name = "upgrade" if step.is_upgrade else "downgrade"
    return bool(_calls(_functions(Path(step.revision.path)).get(name)) & DESTROYING)


def model_imports(script: Script, root: Path) -> Iterator[Finding]:
    """Models change, and a revision must always do what it did when it was written."""
    path = Path(script.path)
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        for name in names:
            first = root / name.partition(".")[0]
            if first.with_suffix(".py").is_file() or (first / "__init__.py").is_file():
                yield finding_of(
                    "model_import",
                    path.name,
                    f"imports {name}, which will not be what it is now.",
                    'Say what the tables are like in the revision: sa.table("hero", sa.column("age")).',
                    "warning",
                    f"{path}:{getattr(node, 'lineno', 1)}",
                )


def _functions(path: Path) -> dict[str, ast.FunctionDef]:
    tree = ast.parse(path.read_text("utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def _calls(function: ast.FunctionDef | None) -> set[str]:
    """The last part of the name of everything that it calls."""
    if function is None:
        return set()
    return {_name_of(node) for node in ast.walk(function) if isinstance(node, ast.Call)}


def _does_something(function: ast.FunctionDef) -> bool:
    """Beside giving values to rows that had none, and looking at rows."""
    return any(
        _name_of(call) not in NOTHING_TO_UNDO and not _only_looks(call)
        for call in ast.walk(function)
        if isinstance(call, ast.Call)
    )


def _only_looks(call: ast.Call) -> bool:
    said = call.args[0] if call.args else None
    text = said.value if isinstance(said, ast.Constant) else ""
    return _name_of(call) == "execute" and "VALIDATE CONSTRAINT" in str(text).upper()


def _name_of(call: ast.Call) -> str:
    return ast.unparse(call.func).rpartition(".")[2]


def _finding(path: Path, function: ast.FunctionDef | None, reason: str, remedy: str) -> Finding:
    line = function.lineno if function is not None else 1
    return finding_of("irreversible", path.name, reason, remedy, where=f"{path}:{line}")
