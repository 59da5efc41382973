"""Exposed models → which of them would show or change what Tilth's own tables of accounts hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from sqlalchemy import Column, MetaData, Table, inspect
from sqlalchemy.orm import Mapper
from sqlalchemy.sql import visitors

from tilth.errors import Finding
from tilth.kernel.policy.policy import Action, Policy
from tilth.kit.text import sentence_list

GUARDED = "tilth_guarded"
"""In the info of a MetaData: what its tables hold is shown only where a column's info says SHOWN."""

SHOWN = "tilth_shown"

WRITING: tuple[Action, ...] = ("create", "update", "delete")


def guarded_findings(
    model: type, policy: Policy | None, where: str | None, own: Iterable[MetaData]
) -> Iterator[Finding]:
    """own: Tilth's tables in this application, so that a table of the same name is known for one.

    Asked of the mapping and not of the resource: a field that is hidden today is shown tomorrow,
    and a resource with other mistakes has no fields.
    """
    mapper: object = inspect(model, raiseerr=False)
    if not isinstance(mapper, Mapper):
        return
    ours = {table.name: table for each in own if _is_guarded(each) for table in each.sorted_tables}
    yield from _column_findings(mapper, ours, where)
    tables = [_guarded_table(each, ours) for each in mapper.tables if isinstance(each, Table)]
    if policy is not None and any(table is not None for table in tables):
        yield from _writing_findings(model, policy, where)


def _column_findings(
    mapper: Mapper[object], ours: Mapping[str, Table], where: str | None
) -> Iterator[Finding]:
    """One for each table, with all that the mapping has of it."""
    secret: dict[Table, dict[str, None]] = {}
    for column in _columns(mapper):
        guarded = _guarded(column, ours)
        if guarded is not None and not guarded.info.get(SHOWN):
            secret.setdefault(guarded.table, {})[guarded.name] = None
    for table, names in secret.items():
        shown = [column.name for column in table.c if column.info.get(SHOWN)]
        yield Finding(
            "policy.guarded_column",
            mapper.class_.__name__,
            f"would show {sentence_list(names)} of {table.name}, which nobody may see.",
            f"Map a class of your own to {sentence_list(shown)}, or fewer, by "
            f"include_properties=[...] (docs/how-to/members.md)."
            if shown
            else "Do not expose it.",
            where=where,
        )


def _writing_findings(model: type, policy: Policy, where: str | None) -> Iterator[Finding]:
    for action in WRITING:
        if policy.rule(action) is not None:
            yield Finding(
                "policy.guarded_table",
                f"{model.__name__}.{action}",
                "accounts are not changed through a resource: signing in depends on more than a row.",
                "Leave it out, and keep fields of your own in a model that refers to User.id.",
                where=where,
            )


def _columns(mapper: Mapper[object]) -> Iterator[Column[object]]:
    """Those that attributes of the mapping are, or are computed from."""
    for attribute in mapper.column_attrs:
        for expression in attribute.columns:
            yield from (p for p in visitors.iterate(expression) if isinstance(p, Column))


def _guarded(column: Column[object], ours: Mapping[str, Table]) -> Column[object] | None:
    """Tilth's own column, also when the one that is given is another of the same name."""
    table = column.table
    if not isinstance(table, Table):
        return None
    guarded = _guarded_table(table, ours)
    if guarded is None:
        return None
    return guarded.c.get(column.name, column)


def _guarded_table(table: Table, ours: Mapping[str, Table]) -> Table | None:
    return table if _is_guarded(table.metadata) else ours.get(table.name)


def _is_guarded(metadata: MetaData) -> bool:
    return bool(metadata.info.get(GUARDED))
