"""Ways between tables → one name for each, no two alike on one table."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count

from sqlalchemy import MetaData, Table

from tilth.kernel.schema.adoption.ways import (
    Way,
    back_way,
    bare_links,
    forward_way,
    keys_of,
    through_ways,
)
from tilth.kernel.schema.naming import resource_name


@dataclass(frozen=True, slots=True, eq=False)
class NamedWay:
    name: str
    way: Way

    @property
    def note(self) -> str | None:
        """Told when it is not called what the rules say at first."""
        first = self.way.names[0]
        if self.name == first:
            return None
        return f"{self.way.owner.name}.{self.name}: not {first!r}, which would not be unique."


def named_ways(metadata: MetaData) -> list[NamedWay]:
    """Every relation of every table: to-one first, then those back, then many-to-many.

    When several on a table would like the same name, none gets it: each takes its longer one.
    """
    keys = keys_of(metadata)
    links = bare_links(keys)
    linking = {key for link in links for key in link}
    taken = {table: set(table.columns.keys()) for table in metadata.tables.values()}
    forward = _settled([forward_way(key) for key in keys], taken)
    forward_names = {key: each.name for key, each in zip(keys, forward, strict=True)}
    back = [back_way(key, forward_names[key]) for key in keys if key not in linking]
    through = [way for link in links for way in through_ways(link, forward_names)]
    return [*forward, *_settled(back, taken), *_settled(through, taken)]


def _settled(ways: Sequence[Way], taken: dict[Table, set[str]]) -> list[NamedWay]:
    wanted = Counter((way.owner, way.names[0]) for way in ways)
    settled = []
    for way in ways:
        is_shared = wanted[way.owner, way.names[0]] > 1 and len(way.names) > 1
        name = _free(way.names[is_shared:], taken[way.owner])
        taken[way.owner].add(name)
        settled.append(NamedWay(name, way))
    return settled


def _free(names: Sequence[str], taken: Iterable[str]) -> str:
    numbered = (f"{names[-1]}_{number}" for number in count(2))
    return next(name for name in chain(names, numbered) if name not in set(taken))


def resource_names(tables: Sequence[Table]) -> Iterator[tuple[Table, str, str | None]]:
    """Each table's name in URLs, and a note when another table has the one it would get."""
    owners: dict[str, str] = {}
    for table in sorted(tables, key=lambda each: each.name):
        first = resource_name(table.name)
        numbered = (f"{first}-{number}" for number in count(2))
        name = next(each for each in chain([first], numbered) if each not in owners)
        owners[name] = table.name
        note = f"table {table.name!r} is {name!r}: {owners[first]!r} is {first!r}."
        yield table, name, None if name == first else note
