"""Policies + Schema → Rulebook: for each actor and resource, the Access that applies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from sqlalchemy import BindParameter, ColumnElement
from sqlalchemy.sql import visitors

from tilth.kernel.policy.access import Access, Rights, Rows
from tilth.kernel.policy.actor import Actor
from tilth.kernel.policy.fold import Folded, fold, leaves
from tilth.kernel.policy.nobody import can_hold_for_nobody
from tilth.kernel.policy.policy import Action, Policy
from tilth.kernel.policy.rules import Owner, Rule, me, public
from tilth.kernel.schema.resource import Field, Resource
from tilth.kernel.schema.rewrite import plain, rewritten

WRITING: tuple[Action, ...] = ("create", "update", "delete")


@dataclass(frozen=True, slots=True, eq=False)
class Chapter:
    """One resource's policy, ready to be applied: owners are columns, leaves are listed once.

    uses_roles: the rules ask for `me.roles`, so the number of roles changes the SQL.
    writing: what is asked beyond that by someone who changes rows. links: rules over the targets of
    many-to-many relations.
    """

    resource: Resource
    policy: Policy
    read: ColumnElement[bool] | None
    fields: Mapping[str, ColumnElement[bool]]
    leaves: tuple[Rule, ...]
    uses_roles: bool
    writing: Mapping[Action, ColumnElement[bool]]
    links: Mapping[str, ColumnElement[bool]]
    writing_leaves: tuple[Rule, ...]


class Rulebook:
    """Every policy of an application. Remembers one Access per way the rules can come out."""

    def __init__(self, chapters: Mapping[str, Chapter], *, heeds_scopes: bool = True) -> None:
        self.chapters, self._heeds_scopes = chapters, heeds_scopes
        # At most 2^leaves entries per resource, times the doublings of the number of roles.
        self._known: dict[tuple[Any, ...], Access] = {}
        self._rights: dict[tuple[Any, ...], Rights] = {}
        self._unrestricted: Rulebook | None = None
        self._leaves = _leaves_of(_rules_of(chapters.values()))

    def standing(self, actor: Actor) -> list[str]:
        """The rules without a row in them that hold for the actor, in their own words, sorted."""
        return sorted(leaf.wording for leaf in self._leaves if leaf.holds_for(actor))

    def access(self, resource_name: str, actor: Actor) -> Access:
        chapter = self.chapters[resource_name]
        truth = tuple(leaf.holds_for(actor) for leaf in chapter.leaves)
        slots = role_slots(actor) if chapter.uses_roles else 0
        key = (resource_name, truth, slots, self._reaches(actor, resource_name, "read"))
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = _access_from(chapter, key)
        return known

    def rights(self, resource_name: str, actor: Actor) -> Rights:
        """What the actor may change. Apart from access, so that reads share statements the more."""
        chapter, access = self.chapters[resource_name], self.access(resource_name, actor)
        truth = {leaf.wording: leaf.holds_for(actor) for leaf in chapter.writing_leaves}
        reach = tuple(a for a in WRITING if self._reaches(actor, resource_name, a))
        # Even where reading does not ask for roles, the rules for writing may.
        is_nobody = actor.id is None
        key = (access.key, tuple(truth.values()), role_slots(actor), reach, is_nobody)
        known = self._rights.get(key)
        if known is None:
            known = self._rights[key] = _rights_from(
                chapter, access, truth, key[2:4], is_nobody=is_nobody
            )
        return known

    def unrestricted(self) -> Rulebook:
        """For work that no policy was written for: every row, every action, every field that is
        not hidden from everyone.
        """
        if self._unrestricted is None:
            opened = {
                name: chapter_from(
                    each.resource, Policy(read=public, write=public, hidden=each.policy.hidden)
                )
                for name, each in self.chapters.items()
            }
            self._unrestricted = Rulebook(opened, heeds_scopes=False)
        return self._unrestricted

    def _reaches(self, actor: Actor, resource_name: str, action: Action) -> bool:
        """Scopes narrow what policies allow, and never widen it."""
        return not self._heeds_scopes or actor.may_in(resource_name, action)


def role_slots(actor: Actor) -> int:
    """How many parameters `me.roles` takes: the next power of two, so that few SQL texts arise."""
    return 1 << (len(actor.roles) - 1).bit_length() if actor.roles else 0


def chapter_from(resource: Resource, policy: Policy) -> Chapter:
    """Bind a policy to its resource. The policy has been checked (policy/checks.py)."""
    read = owners_bound(policy.read, resource) if policy.read is not None else None
    fields = {name: owners_bound(rule, resource) for name, rule in policy.fields.items()}
    rules = [*fields.values()] + ([read] if read is not None else [])
    uses_roles = any(map(asks_for_roles, rules))
    writing = {
        action: owners_bound(rule, resource)
        for action in WRITING
        if (rule := policy.rule(action)) is not None
    }
    links = {name: plain(rule) for name, rule in policy.link.items()}
    return Chapter(
        resource,
        policy,
        read,
        MappingProxyType(fields),
        _leaves_of(rules),
        uses_roles,
        MappingProxyType(writing),
        MappingProxyType(links),
        _leaves_of([*rules, *writing.values(), *links.values()]),
    )


def _rules_of(chapters: Iterable[Chapter]) -> Iterator[ColumnElement[bool]]:
    for chapter in chapters:
        yield from chapter.writing_leaves


def _leaves_of(rules: Iterable[ColumnElement[bool]]) -> tuple[Rule, ...]:
    """Each once, however often it is asked."""
    return tuple({leaf.wording: leaf for rule in rules for leaf in leaves(rule)}.values())


def owners_bound(rule: ColumnElement[bool], resource: Resource) -> ColumnElement[bool]:
    """`owner("owner_id")` becomes `owner_id == me.id`."""

    def replace(part: object) -> ColumnElement[bool] | None:
        if isinstance(part, Owner):
            return resource.fields[part.field].expression == me.id
        return None

    return rewritten(plain(rule), replace)


def asks_for_roles(rule: ColumnElement[bool]) -> bool:
    binds = (part for part in visitors.iterate(rule) if isinstance(part, BindParameter))
    return any(bool(bind.key == "me_roles") for bind in binds)


def _access_from(chapter: Chapter, key: tuple[Any, ...]) -> Access:
    truth: dict[str, bool] = dict(
        zip((leaf.wording for leaf in chapter.leaves), key[1], strict=True)
    )

    def decide(rule: Rule) -> bool:
        return truth[rule.wording]

    folded = fold(chapter.read, decide) if chapter.read is not None and key[3] else False
    rows, predicate = _rows_and_predicate(folded)
    verdicts = {name: fold(rule, decide) for name, rule in chapter.fields.items()}
    fields = dict(_readable(chapter, verdicts))
    masked = {
        name: rule
        for name, rule in verdicts.items()
        if name in fields and not isinstance(rule, bool)
    }
    return Access(
        chapter.resource,
        key,
        rows,
        predicate,
        MappingProxyType(fields),
        MappingProxyType(masked),
        role_slots=key[2],
    )


def _rights_from(
    chapter: Chapter,
    access: Access,
    truth: Mapping[str, bool],
    slots_and_reach: tuple[int, tuple[Action, ...]],
    *,
    is_nobody: bool,
) -> Rights:
    slots, reach = slots_and_reach

    def decided(rule: ColumnElement[bool] | None) -> Folded:
        folded = False if rule is None else fold(rule, lambda leaf: truth[leaf.wording])
        return False if is_nobody and not can_hold_for_nobody(folded) else folded

    rules: dict[Action, Folded] = {"read": access.rows != "none" and decided(chapter.read)}
    rules |= {
        action: decided(chapter.writing.get(action)) if action in reach else False
        for action in WRITING
    }
    return Rights(
        replace(access, role_slots=slots),
        chapter.policy,
        MappingProxyType(rules),
        MappingProxyType({name: decided(rule) for name, rule in chapter.links.items()}),
    )


def _rows_and_predicate(folded: Folded) -> tuple[Rows, ColumnElement[bool] | None]:
    if isinstance(folded, bool):
        return ("all" if folded else "none"), None
    return "some", folded


def _readable(chapter: Chapter, verdicts: Mapping[str, Folded]) -> Iterator[tuple[str, Field]]:
    for name, field in chapter.resource.fields.items():
        if name not in chapter.policy.hidden and verdicts.get(name, True) is not False:
            yield name, field
