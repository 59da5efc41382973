"""The schema as one caller may read and change it."""

from collections.abc import Iterator
from dataclasses import dataclass

from tilth.features.api.service.addresses import Address
from tilth.features.api.service.allowed import allowed_methods
from tilth.kernel.plan.sight import Sight
from tilth.kernel.policy.access import Access
from tilth.kernel.schema.resource import Relation


@dataclass(frozen=True, slots=True)
class View:
    """writable: the database is ours to change."""

    sight: Sight
    writable: bool = False

    def accesses(self) -> Iterator[Access]:
        """Resources of which the caller may read at least some rows."""
        for name in self.sight.schema:
            access = self.sight.access(name)
            if access.rows != "none":
                yield access

    def relations(self, access: Access) -> Iterator[tuple[Relation, Access]]:
        """Relations that lead to readable resources, and what may be read there."""
        for _, relation in self.sight.relations(access):
            yield relation, self.sight.access(relation.target)

    def methods(self, address: Address) -> tuple[str, ...]:
        """Those that the caller may use. address: its key does not matter."""
        return allowed_methods(self.sight, address, writable=self.writable)


def is_addressable(access: Access) -> bool:
    """Rows have an address of their own: `/api/heroes/1`."""
    key = access.resource.key
    return bool(key) and all(name in access.fields for name in key)
