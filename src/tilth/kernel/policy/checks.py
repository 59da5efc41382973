"""What is wrong with a policy, found before serving."""

from collections.abc import Collection, Iterator
from typing import Any, get_args

from sqlalchemy import ColumnElement, literal, select
from sqlalchemy.sql import visitors

from tilth.errors import Finding
from tilth.kernel.policy.fold import leaves_replaced
from tilth.kernel.policy.policy import Action, Policy
from tilth.kernel.policy.rulebook import owners_bound
from tilth.kernel.policy.rules import Owner
from tilth.kernel.policy.source import slips_at
from tilth.kernel.schema.resource import Resource
from tilth.kit.text import suggest

UNKNOWN_FIELD = "policy.unknown_field"


def policy_findings(
    resource: Resource,
    policy: Policy,
    where: str | None = None,
    *,
    faulty: Collection[str] = (),
) -> Iterator[Finding]:
    """Every mistake in one policy. where: the expose call, "file.py:12".

    faulty: columns that are no fields only because of a mistake of their own.
    """
    for code, subject, reason, remedy in _mistakes(resource, policy):
        if code != UNKNOWN_FIELD or subject not in faulty:
            yield Finding(code, f"{resource.title}.{subject}", reason, remedy, where=where)
    yield from _operator_findings(resource, policy)
    if not any(getattr(policy, action) is not None for action in ACTIONS):
        yield Finding(
            "policy.nothing_allowed",
            resource.title,
            "has a policy that allows nothing to anybody.",
            "Say who may read it: Policy(read=public).",
            "warning",
            where,
        )


def missing_policy(model: type, where: str | None = None) -> Finding:
    title = getattr(model, "__name__", repr(model))
    return Finding(
        "policy.missing",
        title,
        "is exposed without a policy, and what is not allowed is denied.",
        f"Say who may: expose({title}, Policy(read=public)).",
        where=where,
    )


def _operator_findings(resource: Resource, policy: Policy) -> Iterator[Finding]:
    """Rules of which a part was dropped before they came here."""
    file, _, line = policy.where.rpartition(":")
    for slip in slips_at(file, int(line)):
        yield Finding(
            "policy.python_operator",
            f"{resource.title}.{slip.option}",
            f"{slip.text} is not the rule it looks like: {slip.reason}",
            slip.remedy,
            where=f"{file}:{slip.line}",
        )


ACTIONS = (*get_args(Action), "write")
Mistake = tuple[str, str, str, str]
"""Code, subject within the resource, reason, remedy."""


def _mistakes(resource: Resource, policy: Policy) -> Iterator[Mistake]:
    for option in ("hidden", "read_only", "write_once", "fields", "preset"):
        for name in getattr(policy, option):
            yield from _unknown_field(resource, option, name)
    for name in resource.key:
        if name in policy.hidden or name in policy.fields:
            yield (
                "policy.hidden_key",
                name,
                "is part of the key and cannot be hidden: every address is made of it.",
                "Expose a model with another key, or leave it readable.",
            )
    actions = {action: getattr(policy, action) for action in ACTIONS}
    for place, rule in (actions | {f"fields[{n!r}]": r for n, r in policy.fields.items()}).items():
        if rule is not None:
            yield from _rule_mistakes(resource, place, rule)


def _unknown_field(resource: Resource, option: str, name: str) -> Iterator[Mistake]:
    if name not in resource.fields:
        close = suggest(name, resource.fields)
        yield (
            UNKNOWN_FIELD,
            name,
            f"is named in {option}= but is not a field of {resource.title}.",
            f"Did you mean {close!r}?" if close else f"Fields: {', '.join(resource.fields)}.",
        )


def _rule_mistakes(resource: Resource, place: str, rule: Any) -> Iterator[Mistake]:
    if not isinstance(rule, ColumnElement):
        if not hasattr(rule, "__clause_element__"):
            yield (
                "policy.not_a_rule",
                place,
                f"is {rule!r}, which is not a rule.",
                "Use public, signed_in, role(...), owner(...) or a comparison of columns.",
            )
            return
        rule = rule.__clause_element__()
    unknown = [
        part.field
        for part in visitors.iterate(rule)
        if isinstance(part, Owner) and part.field not in resource.fields
    ]
    for name in unknown:
        yield from _unknown_field(resource, f"{place} owner()", name)
    if not unknown:
        yield from _stray_tables(resource, place, owners_bound(rule, resource))


def _stray_tables(resource: Resource, place: str, rule: ColumnElement[bool]) -> Iterator[Mistake]:
    """A column of a table that is not joined would multiply rows and let every row through."""
    plain = leaves_replaced(rule, lambda leaf: True)
    for table in select(literal(1)).where(plain).get_final_froms():
        if table not in resource.tables:
            yield (
                "policy.stray_table",
                place,
                f"uses columns of {table!s}, which is not part of {resource.title}.",
                "Go through a relation: Model.relation.has(...) or .any(...).",
            )
