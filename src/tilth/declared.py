"""What an application is told to expose, and what is wrong with the policies of it."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import MetaData

from tilth.errors import Finding
from tilth.kernel.plan.before import Before
from tilth.kernel.policy.checks import NEVER_GIVEN, missing_policy, policy_findings
from tilth.kernel.policy.guarded import guarded_findings
from tilth.kernel.policy.policy import Policy
from tilth.kernel.policy.source import Sources
from tilth.kernel.schema.exposure import Exposure
from tilth.kernel.schema.mapper import Resolved
from tilth.kernel.schema.resource import Resource


@dataclass(frozen=True, slots=True)
class Declared:
    """One call of expose."""

    exposure: Exposure
    policy: Policy | None
    cache: str | None = None
    require_if_match: bool = False
    before: tuple[Before, ...] = ()


def policy_findings_of(
    declared: Sequence[Declared], resolved: Resolved, own: Sequence[MetaData] = ()
) -> Iterator[Finding]:
    """Also of resources with other mistakes, so that none is found only after the others.

    own: Tilth's tables in this application.
    """
    sources = Sources()
    known: dict[type, tuple[Resource, Collection[str]]] = {
        resource.model: (resource, ()) for resource in resolved.schema.values()
    }
    known |= {each.resource.model: (each.resource, each.faulty) for each in resolved.unfinished}
    for each in declared:
        model, where = each.exposure.model, each.exposure.where
        yield from guarded_findings(model, each.policy, where, own)
        if each.policy is None:
            yield missing_policy(model, where)
        elif model in known:
            resource, faulty = known[model]
            found = policy_findings(resource, each.policy, where, faulty=faulty, sources=sources)
            # A function before each change may give the values that no client may.
            excused = NEVER_GIVEN if each.before else None
            yield from (finding for finding in found if finding.code != excused)
            yield from _overruled(each, declared, known)


def _overruled(
    each: Declared,
    others: Sequence[Declared],
    known: Mapping[type, tuple[Resource, Collection[str]]],
) -> Iterator[Finding]:
    """Rows of a class are rows of the classes it inherits from as well, where those are exposed."""
    model = each.exposure.model
    for other in others:
        base = other.exposure.model
        is_base = base in known and base is not model and issubclass(model, base)
        if is_base and other.policy is not None and other.policy is not each.policy:
            name = known[base][0].name
            yield Finding(
                "policy.inherited",
                known[model][0].title,
                f"has a policy, and its rows are also rows of {name}, where the policy, the "
                f"functions and the events of {base.__name__} are asked, and these are not.",
                f"Let the policy of {base.__name__} leave such rows out, give both the same Policy "
                f"object, or expose one of the two.",
                "warning",
                each.exposure.where,
            )


def caller() -> str:
    """ "file.py:12" of whoever called the function that asks."""
    frame = sys._getframe(2)
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def too_late(subject: str, what: str, where: str | None) -> Finding:
    return Finding(
        "app.frozen",
        subject,
        f"{what} after the application has begun to serve.",
        "Do it when the module is imported.",
        where=where,
    )
