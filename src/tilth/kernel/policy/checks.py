"""What is wrong with a policy, found before serving."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, get_args

from sqlalchemy import ColumnElement, FromClause, literal, select
from sqlalchemy.sql import visitors

from tilth.errors import Finding
from tilth.kernel.policy.compared import compares_a_combination
from tilth.kernel.policy.fold import leaves_replaced
from tilth.kernel.policy.policy import Action, Policy
from tilth.kernel.policy.rulebook import owners_bound
from tilth.kernel.policy.rules import Owner
from tilth.kernel.policy.source import Sources
from tilth.kernel.schema.resource import Resource
from tilth.kit.text import suggest

UNKNOWN_FIELD = "policy.unknown_field"
NEVER_GIVEN = "policy.create_impossible"
ACTIONS = (*get_args(Action), "write")
Mistake = tuple[str, str, str, str]
"""Code, subject within the resource, reason, remedy."""


def policy_findings(
    resource: Resource,
    policy: Policy,
    where: str | None = None,
    *,
    faulty: Collection[str] = (),
    sources: Sources | None = None,
) -> Iterator[Finding]:
    """Every mistake in one policy. where: the expose call, "file.py:12".

    faulty: columns that are no fields only because of a mistake of their own. sources: to be used
    for all policies of an application.
    """
    for code, subject, reason, remedy in _mistakes(resource, policy):
        if code != UNKNOWN_FIELD or subject not in faulty:
            yield Finding(code, f"{resource.title}.{subject}", reason, remedy, where=where)
    yield from _operator_findings(resource, policy, sources or Sources())
    for code, subject, reason, remedy in _doubts(resource, policy):
        yield Finding(code, subject, reason, remedy, "warning", where)


def _doubts(resource: Resource, policy: Policy) -> Iterator[Mistake]:
    if not any(getattr(policy, action) is not None for action in ACTIONS):
        yield (
            "policy.nothing_allowed",
            resource.title,
            "has a policy that allows nothing to anybody.",
            "Say who may read it: Policy(read=public).",
        )
    if policy.rule("create") is not None:
        for name in _never_given(resource, policy):
            yield (
                NEVER_GIVEN,
                f"{resource.title}.{name}",
                "needs a value in every new row, and no client may give one.",
                "Give it a default or a preset=, or let it be written.",
            )


def _never_given(resource: Resource, policy: Policy) -> Iterator[str]:
    for name, field in resource.fields.items():
        closed = name in policy.hidden or name in policy.read_only
        made = not field.is_required or field.computed or name in policy.preset
        if closed and not made:
            yield name


def missing_policy(model: type, where: str | None = None) -> Finding:
    title = getattr(model, "__name__", repr(model))
    return Finding(
        "policy.missing",
        title,
        "is exposed without a policy, and what is not allowed is denied.",
        f"Say who may: expose({title}, Policy(read=public)).",
        where=where,
    )


def _operator_findings(resource: Resource, policy: Policy, sources: Sources) -> Iterator[Finding]:
    """Rules of which a part was dropped before they came here."""
    file, _, line = policy.where.rpartition(":")
    for slip in sources.slips_at(file, int(line)):
        yield Finding(
            "policy.python_operator",
            f"{resource.title}.{slip.option}",
            f"{slip.text} is not the rule it looks like: {slip.reason}",
            slip.remedy,
            where=f"{file}:{slip.line}",
        )


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
    for name, rule in policy.link.items():
        yield from _link_mistakes(resource, name, rule)


def _link_mistakes(resource: Resource, name: str, rule: Any) -> Iterator[Mistake]:
    place, relation = f"link[{name!r}]", resource.relations.get(name)
    if relation is None or relation.links is None:
        linked = [each for each, found in resource.relations.items() if found.links is not None]
        close = suggest(name, linked)
        yield (
            "policy.unknown_link",
            name,
            "is named in link= but is no many-to-many relation of which links can be written.",
            f"Did you mean {close!r}?"
            if close
            else f"Such relations: {', '.join(linked) or 'none'}.",
        )
    elif isinstance(rule, ColumnElement) and any(
        isinstance(p, Owner) for p in visitors.iterate(rule)
    ):
        yield (
            "policy.owner_of_another",
            place,
            "uses owner(), which names a field of this model; the rule is about the other one.",
            "Compare a column of the other model: Other.owner_id == me.id.",
        )
    else:
        yield from _rule_mistakes(resource, place, rule, tuple(relation.join.remote))


def _unknown_field(resource: Resource, option: str, name: str) -> Iterator[Mistake]:
    if name not in resource.fields:
        close = suggest(name, resource.fields)
        yield (
            UNKNOWN_FIELD,
            name,
            f"is named in {option}= but is not a field of {resource.title}.",
            f"Did you mean {close!r}?" if close else f"Fields: {', '.join(resource.fields)}.",
        )


def _rule_mistakes(
    resource: Resource, place: str, rule: Any, tables: Sequence[FromClause] | None = None
) -> Iterator[Mistake]:
    """tables: that the rule may use; those of the resource when not given."""
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
    if compares_a_combination(rule):
        yield (
            "policy.parentheses",
            place,
            "compares a combination of rules, since & | ~ bind tighter than comparisons.",
            "Put each comparison in parentheses: (Hero.age >= 18) | public.",
        )
        return
    unknown = [
        part.field
        for part in visitors.iterate(rule)
        if isinstance(part, Owner) and part.field not in resource.fields
    ]
    for name in unknown:
        yield from _unknown_field(resource, f"{place} owner()", name)
    if not unknown:
        bound = owners_bound(rule, resource)
        yield from _stray_tables(resource, place, bound, tables or resource.tables)


def _stray_tables(
    resource: Resource, place: str, rule: ColumnElement[bool], tables: Sequence[FromClause]
) -> Iterator[Mistake]:
    """A column of a table that is not joined would multiply rows and let every row through."""
    plain = leaves_replaced(rule, lambda leaf: True)
    for table in select(literal(1)).where(plain).get_final_froms():
        if table not in tables:
            yield (
                "policy.stray_table",
                place,
                f"uses columns of {table!s}, which is not part of {resource.title}.",
                "Go through a relation: Model.relation.has(...) or .any(...).",
            )
