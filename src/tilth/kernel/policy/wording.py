"""A rule → the text that people read: SQL with its values, the words of policies as written."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, FromClause, Select, literal_column, select
from sqlalchemy.exc import CompileError

from tilth.kernel.policy.rules import Owner, Rule
from tilth.kernel.schema.rewrite import plain, rewritten


def wording(rule: ColumnElement[Any], tables: Sequence[FromClause]) -> str:
    """`hero.age >= 18 OR hero.owner_id = me.id OR role('admin')`, on one line.

    tables: of the resource the rule is about, which an EXISTS inside it refers to.
    """
    spoken = rewritten(plain(rule), _as_written)
    # A whole statement, since alone an EXISTS would select from these tables itself.
    asked: Select[Any] = select(literal_column("1")).select_from(*tables).where(spoken)
    try:
        text = str(asked.compile(compile_kwargs={"literal_binds": True}))
    except CompileError:  # a value without a literal form
        text = str(asked)
    return " ".join(text.split()).partition(" WHERE ")[2]


def _as_written(part: object) -> ColumnElement[Any] | None:
    if isinstance(part, Rule | Owner):
        return literal_column(part.wording)
    if isinstance(part, BindParameter) and str(part.key).startswith("me_"):
        return literal_column(str(part.key).replace("_", ".", 1))
    return None
