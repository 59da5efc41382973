"""A resource → a view of its rows without what its policy hides, for tools that know no policies."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sqlalchemy import Select, select
from sqlalchemy.engine import Dialect

from tilth.errors import CommandError
from tilth.kernel.policy.access import Access
from tilth.kernel.policy.actor import ANONYMOUS
from tilth.kernel.policy.rulebook import Rulebook
from tilth.kernel.schema.resource import Schema
from tilth.kernel.store.source import stored_rows
from tilth.kit.text import sentence_list


@dataclass(frozen=True, slots=True)
class View:
    """name: in its schema. query: its SELECT, complete. left_out: fields, as "heroes.email"."""

    name: str
    query: str
    left_out: tuple[str, ...]


def views_of(
    schema: Schema, rulebook: Rulebook, dialect: Dialect, shown: Collection[str]
) -> list[View]:
    """One for each resource, with every row that is not deleted.

    A field that a policy hides, or shows on some rows only, is left out. shown: those of the latter
    kind to have all the same, as "heroes.email". Raises CommandError for one that is not.
    """
    unrestricted = rulebook.unrestricted()
    limited = {
        f"{name}.{field}" for name in schema for field in rulebook.chapters[name].policy.fields
    }
    _require_known(shown, limited)
    return [
        _view(unrestricted.access(name, ANONYMOUS), limited - set(shown), dialect)
        for name in sorted(schema)
    ]


def _require_known(shown: Collection[str], limited: Collection[str]) -> None:
    unknown = sorted(set(shown) - set(limited))
    if unknown:
        known = f"These are: {sentence_list(sorted(limited))}." if limited else "There are none."
        raise CommandError(
            f"{unknown[0]} is no field that a policy shows on some rows only.",
            f"{known} What is hidden from everyone is in no view.",
        )


def _view(access: Access, hidden: Collection[str], dialect: Dialect) -> View:
    resource = access.resource
    columns = {
        name: field.expression
        for name, field in access.fields.items()
        if f"{resource.name}.{name}" not in hidden
    }
    asked = select(*(each.label(name) for name, each in columns.items()))
    asked = asked.select_from(stored_rows(access).rows)
    if resource.criterion is not None:
        asked = asked.where(resource.criterion)
    left_out = tuple(f"{resource.name}.{name}" for name in resource.fields if name not in columns)
    return View(resource.name.replace("-", "_"), _written_out(asked, dialect), left_out)


def _written_out(asked: Select[tuple[object, ...]], dialect: Dialect) -> str:
    """A view takes no parameters."""
    return str(asked.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))


def statements_for_views(views: Collection[View], place: str, dialect: Dialect) -> Iterator[str]:
    """In one transaction. place: the schema of the views, which are made anew."""
    quote = dialect.identifier_preparer.quote
    yield f"CREATE SCHEMA IF NOT EXISTS {quote(place)}"
    for view in views:
        name = f"{quote(place)}.{quote(view.name)}"
        yield f"DROP VIEW IF EXISTS {name}"
        yield f"CREATE VIEW {name} AS {view.query}"
