"""The rows that a batch changes, locked before it begins.

Two batches that lock the same rows in different orders would wait for each other, until PostgreSQL
gives one of them up a second later, and meanwhile hold their connections.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress

from tilth.errors import ProblemError
from tilth.features.api.service.addresses import address_of
from tilth.features.api.service.batch.operations import Operation
from tilth.features.api.service.batch.references import is_reference_in
from tilth.kernel.plan.change import Key
from tilth.kernel.plan.read import key_values
from tilth.kernel.plan.sight import entered
from tilth.kernel.policy.policy import Action
from tilth.kernel.store.scope import Scope


def lock_rows(scope: Scope, operations: Sequence[Operation]) -> None:
    """In the order of their resources' names and their keys; a statement for each resource.

    Only of resources of which the actor may change rows. Rows that only a reference to an earlier
    result names are locked when it is their turn.
    """
    if scope.records.dialect.name == "sqlite":
        # There is one writer.
        return
    rows: dict[str, set[Key]] = defaultdict(set)
    for operation in operations:
        # What is wrong with it is told when it is its turn.
        with suppress(ProblemError):
            _add(rows, operation, scope)
    if sum(map(len, rows.values())) < 2:
        return
    for name, keys in sorted(rows.items()):
        scope.records.lock_many(scope.session, scope.sight.rights(name), list(keys))


def _add(rows: dict[str, set[Key]], operation: Operation, scope: Scope) -> None:
    if operation.method == "POST" or is_reference_in(operation.path):
        return
    address = address_of(operation.path.removeprefix("/").split("/"), scope.sight)
    if address.place != "row" or address.key is None:
        return
    access = entered(scope.sight, address.resource)
    action: Action = "delete" if operation.method == "DELETE" else "update"
    if scope.sight.rights(address.resource).may(action):
        rows[address.resource].add(tuple(key_values(access, address.key)))
