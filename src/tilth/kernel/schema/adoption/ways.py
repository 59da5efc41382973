"""Foreign keys → the relations of each table, with the names they would like to have.

docs/reference/naming.md tells the rules with examples.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Column, ForeignKeyConstraint, MetaData, Table, UniqueConstraint

from tilth.kernel.schema.adoption.wording import (
    Style,
    is_plain,
    plural_name,
    singular_name,
    style_of,
    styled,
    without_id,
    words_of,
)

Pairs = tuple[tuple[Column[Any], Column[Any]], ...]
Direction = Literal["forward", "back", "through"]


@dataclass(frozen=True, slots=True, eq=False)
class Key:
    """One foreign key. pairs: its columns and those they refer to."""

    table: Table
    target: Table
    pairs: Pairs


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """A relation from owner to target. names: best first; the last also with a number.

    pairs: columns of the owner and those that equal them, on the target or on the link table.
    far: columns of the link table and those of the target that equal them.
    """

    owner: Table
    target: Table
    direction: Direction
    many: bool
    names: tuple[str, ...]
    pairs: Pairs
    link: Table | None = None
    far: Pairs = ()


def keys_of(metadata: MetaData) -> list[Key]:
    """In the order of table names, and in that of the columns within a table."""
    return [
        _key(table, constraint)
        for table in _by_name(metadata)
        for constraint in sorted(table.foreign_key_constraints, key=_places)
    ]


def _by_name(metadata: MetaData) -> list[Table]:
    return sorted(metadata.tables.values(), key=lambda table: table.name)


def _places(constraint: ForeignKeyConstraint) -> list[tuple[int, str]]:
    names = list(constraint.table.columns.keys())
    return [
        (names.index(element.parent.name), element.target_fullname)
        for element in constraint.elements
    ]


def _key(table: Table, constraint: ForeignKeyConstraint) -> Key:
    pairs = tuple((element.parent, element.column) for element in constraint.elements)
    return Key(table, constraint.referred_table, pairs)


def forward_way(key: Key) -> Way:
    """To-one: from the row that holds the foreign key to the row it names."""
    return Way(key.table, key.target, "forward", False, _forward_names(key), key.pairs)


def _forward_names(key: Key) -> tuple[str, ...]:
    columns = [near.name for near, _ in key.pairs]
    style = style_of(columns[0])
    target = singular_name(key.target.name)
    if len(columns) > 1:
        own = styled(words_of(target), style)
        return own, styled([*words_of(target), "by", *words_of(" ".join(columns))], style)
    stem = without_id(columns[0], [key.target.name, target])
    if stem is None and columns[0].strip("_").lower() == "id":
        return (_in_own_style(target, Style("_", "lower")),)
    longer = styled([*words_of(stem or columns[0]), *words_of(target)], style)
    return (longer,) if stem is None else (stem, longer)


def back_way(key: Key, forward: str) -> Way:
    """From the row that is named to those that name it. forward: what that relation is called."""
    many = not _holds_once(key)
    name = plural_name(key.table.name) if many else singular_name(key.table.name)
    name = _in_own_style(name, style_of(key.pairs[0][0].name))
    columns = [near.name for near, _ in key.pairs]
    names = (name, _joined(name, "by", forward if len(columns) == 1 else " ".join(columns)))
    pairs = tuple((far, near) for near, far in key.pairs)
    return Way(key.target, key.table, "back", many, names, pairs)


def _holds_once(key: Key) -> bool:
    """At most one row can name the same other row."""
    uniques = [each for each in key.table.constraints if isinstance(each, UniqueConstraint)]
    found = [set(key.table.primary_key.columns), *(set(each.columns) for each in uniques)]
    own = {near for near, _ in key.pairs}
    return any(columns and columns <= own for columns in found)


def _in_own_style(name: str, otherwise: Style) -> str:
    """A table's name as it is, unless it holds spaces or signs."""
    return name if is_plain(name) else styled(words_of(name), otherwise)


def _joined(name: str, word: str, other: str) -> str:
    return styled([*words_of(name), word, *words_of(other)], style_of(name))


def bare_links(keys: Sequence[Key]) -> list[tuple[Key, Key]]:
    """Tables that only link: their columns are two foreign keys, which together are unique."""
    of_table: dict[Table, list[Key]] = {}
    for key in keys:
        of_table.setdefault(key.table, []).append(key)
    return [
        (each[0], each[1])
        for table, each in of_table.items()
        if len(each) == 2 and _is_bare(table, each)
    ]


def _is_bare(table: Table, keys: Sequence[Key]) -> bool:
    linked = {near for key in keys for near, _ in key.pairs}
    return set(table.columns) == linked == set(table.primary_key.columns) and not any(
        map(_holds_once, keys)
    )


def through_ways(link: tuple[Key, Key], forward: Mapping[Key, str]) -> Iterator[Way]:
    """Many-to-many, from each side of a bare link table to the other."""
    for near, far in (link, link[::-1]):
        plain = _far_name(near, far, forward[far])
        yield Way(
            near.target,
            far.target,
            "through",
            True,
            (plain, _joined(plain, "via", near.table.name)),
            tuple((owner, on_link) for on_link, owner in near.pairs),
            near.table,
            far.pairs,
        )


def _far_name(near: Key, far: Key, forward: str) -> str:
    """A table linked to itself has two far sides; their foreign keys tell them apart."""
    if near.target is far.target:
        return plural_name(forward)
    return _in_own_style(plural_name(far.target.name), style_of(far.pairs[0][0].name))
