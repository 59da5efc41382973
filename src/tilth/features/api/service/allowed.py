"""An address → the methods there are, and those that this caller may use."""

from __future__ import annotations

from collections.abc import Iterator

from tilth.features.api.service.addresses import Address, check_is_here
from tilth.kernel.plan.sight import Sight
from tilth.kernel.plan.write import refusal
from tilth.kernel.policy.access import Rights
from tilth.kernel.policy.policy import Action
from tilth.kernel.schema.resource import Relation

READING = ("GET", "HEAD", "OPTIONS")

_OF_A_ROW: tuple[tuple[str, Action], ...] = (
    ("PUT", "update"),
    ("PATCH", "update"),
    ("DELETE", "delete"),
)


def declared_methods(sight: Sight, address: Address, *, writable: bool) -> tuple[str, ...]:
    """Those that some policy has a rule for. writable: the database is ours to change."""
    return tuple(
        method
        for method, rights, action in _methods(sight, address, writable=writable)
        if rights is None or rights.policy.rule(action) is not None
    )


def allowed_methods(sight: Sight, address: Address, *, writable: bool) -> tuple[str, ...]:
    """Those that the caller may use, on some row at least."""
    return tuple(
        method
        for method, rights, action in _methods(sight, address, writable=writable)
        if rights is None or rights.may(action)
    )


def check_allowed(sight: Sight, address: Address, method: str) -> None:
    """Before anything of the request is looked at: whoever may not do it learns nothing else.

    Raises Unauthenticated or Forbidden, and what check_is_here raises.
    """
    for name, rights, action in _methods(sight, address, writable=True):
        if name == method and rights is not None and not rights.may(action):
            if address.place != "collection":
                check_is_here(sight, address)
            raise refusal(sight, rights, action)


def _methods(
    sight: Sight, address: Address, *, writable: bool
) -> Iterator[tuple[str, Rights | None, Action]]:
    """(method, whose rights decide, by which action); nobody's for reading."""
    if address.place in ("link", "batch"):
        yield "OPTIONS", None, "read"
    else:
        yield from ((method, None, "read") for method in READING)
    if address.place == "batch" and writable:
        yield "POST", None, "read"
    if not writable or address.resource not in sight.schema:
        return
    rights = sight.rights(address.resource)
    relation = dict(sight.relations(rights.access)).get(address.relation or "")
    if not rights.access.resource.key:
        return
    if address.place == "collection":
        yield "POST", rights, "create"
        yield "PATCH", rights, "update"
        yield "DELETE", rights, "delete"
    elif address.place == "row":
        yield from ((method, rights, action) for method, action in _OF_A_ROW)
    elif relation is not None:
        yield from _related(sight, address, rights, relation)


def _related(
    sight: Sight, address: Address, rights: Rights, relation: Relation
) -> Iterator[tuple[str, Rights | None, Action]]:
    if address.place == "link" and relation.linkable is not None:
        yield "PUT", rights, "update"
        yield "DELETE", rights, "update"
    if address.place != "related" or not relation.many:
        return
    if relation.linkable is not None and not rights.may("update"):
        yield "POST", rights, "update"
    elif relation.remote or relation.linkable:
        yield "POST", sight.rights(relation.target), "create"
