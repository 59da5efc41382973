"""The schema as one caller may read it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tilth.kernel.policy.access import Access
from tilth.kernel.schema.resource import Relation, Schema


@dataclass(frozen=True, slots=True)
class View:
    """access: resource name → what the caller may read of it."""

    schema: Schema
    access: Callable[[str], Access]

    def accesses(self) -> Iterator[Access]:
        """Resources of which the caller may read at least some rows."""
        for name in self.schema:
            access = self.access(name)
            if access.rows != "none":
                yield access

    def relations(self, access: Access) -> Iterator[tuple[Relation, Access]]:
        """Relations that lead to readable resources, and what may be read there."""
        for relation in access.resource.relations.values():
            target = self.access(relation.target)
            if target.rows != "none":
                yield relation, target


def is_addressable(access: Access) -> bool:
    """Rows have an address of their own: `/api/heroes/1`."""
    key = access.resource.key
    return bool(key) and all(name in access.fields for name in key)
