"""A read → the same read, with what links and forms need to know of every row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tilth.kernel.plan.body import why_not_writable
from tilth.kernel.plan.shape import Grant, Node, Owner, ReadPlan
from tilth.kernel.plan.sight import Sight
from tilth.kernel.policy.access import Access, Rights


def linked(plan: ReadPlan, sight: Sight, *, grants: bool) -> ReadPlan:
    """grants: ask too what the actor may do to each row, in the same statement."""
    shape = plan.shape
    root, owner = _node(shape.root, sight, grants=grants), shape.owner
    if grants and owner is not None and owner.relation.linkable is not None:
        near = sight.rights(owner.access.resource.name)
        root = replace(root, grants=(*root.grants, *_of_link(near, owner)))
        owner = replace(owner, grants=(Grant(near, "update"),))
    return replace(plan, shape=replace(shape, root=root, owner=owner))


def _node(node: Node, sight: Sight, *, grants: bool) -> Node:
    branches = tuple(
        replace(each, node=_node(each.node, sight, grants=grants)) for each in node.branches
    )
    fields = dict.fromkeys((*node.fields, *_addressing(node.access, sight)))
    asked = tuple(_grants(sight.rights(node.access.resource.name))) if grants else ()
    return Node(node.access, tuple(fields), branches, asked)


def _addressing(access: Access, sight: Sight) -> Iterator[str]:
    """Fields that the addresses of the row, and of the rows it belongs to, are made of."""
    keys = [relation.local for _, relation in sight.relations(access)]
    for names in (access.resource.key, *keys):
        yield from (name for name in names if name in access.fields)


def _grants(rights: Rights) -> Iterator[Grant]:
    yield Grant(rights, "update")
    yield Grant(rights, "delete")
    if rights.may("update"):
        for name in rights.access.masked:
            if why_not_writable(rights, name, creating=False) is None:
                yield Grant(rights, "read", name)


def _of_link(near: Rights, owner: Owner) -> Iterator[Grant]:
    """Without a rule of its own, a link follows from the right to update the row at its far end."""
    if owner.relation.name in near.links:
        yield Grant(near, "unlink", owner.relation.name)
