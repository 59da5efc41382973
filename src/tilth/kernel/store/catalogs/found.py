"""The records of reflection: one table as the catalogue of its database describes it."""

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, DefaultClause, text

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key. referred: columns of the table referred to; empty means its primary key."""

    columns: Names
    table: str
    referred: Names


@dataclass(frozen=True, slots=True, eq=False)
class FoundTable:
    """key: columns of the primary key, in its order. uniques: other columns that are unique together."""

    name: str
    schema: str | None
    columns: tuple[Column[Any], ...]
    key: Names = ()
    uniques: tuple[Names, ...] = ()
    references: tuple[Reference, ...] = ()
    comment: str | None = None
    is_view: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Catalog:
    """notes: a sentence for each thing that was left out or taken otherwise than it is declared."""

    tables: tuple[FoundTable, ...]
    notes: tuple[str, ...] = ()


def default_of(expression: str) -> DefaultClause:
    """expression: SQL; a lone colon in it must not be taken for a parameter."""
    return DefaultClause(text(re.sub(r"(?<!:):(?!:)", r"\\:", expression)))
