"""What the developer declared with `on` + the catalog of events → who gets which, or every mistake."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tilth.errors import Finding
from tilth.kernel.events.catalog import ANY, Catalog, matching
from tilth.kernel.events.event import Event
from tilth.kit.text import sentence_list, suggest

React = Callable[[Event], Awaitable[object] | object]
"""A coroutine function, or a plain one, which is called in a thread."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One call of on. patterns: "hero.created", "hero.*". where: "file.py:12" of the call."""

    name: str
    react: React
    patterns: tuple[str, ...]
    where: str


@dataclass(frozen=True, slots=True)
class Subscriber:
    """name: what its deliveries are kept under, so it has to stay the same. types: of its events."""

    name: str
    react: React
    types: tuple[str, ...]


def subscribers_from(
    subscriptions: Sequence[Subscription], catalog: Catalog
) -> tuple[list[Subscriber], list[Finding]]:
    """A function that subscribes several times is one subscriber."""
    findings: list[Finding] = []
    found: dict[str, Subscriber] = {}
    for each in subscriptions:
        findings += _unknown(each, catalog)
        types = tuple(t for pattern in each.patterns for t in matching(pattern, catalog))
        known = found.get(each.name)
        if known is not None and known.react is not each.react:
            findings.append(_taken(each))
            continue
        before = () if known is None else known.types
        together = tuple(dict.fromkeys((*before, *types)))
        found[each.name] = Subscriber(each.name, each.react, together)
    return list(found.values()), findings


def names_by_type(subscribers: Iterable[Subscriber]) -> Mapping[str, tuple[str, ...]]:
    names: dict[str, tuple[str, ...]] = {}
    for each in subscribers:
        for type_ in each.types:
            names[type_] = (*names.get(type_, ()), each.name)
    return names


def _unknown(subscription: Subscription, catalog: Catalog) -> Iterator[Finding]:
    every = [*catalog, *dict.fromkeys(type_.partition(".")[0] + ANY for type_ in catalog)]
    for pattern in subscription.patterns:
        if matching(pattern, catalog):
            continue
        close = suggest(pattern, every)
        yield Finding(
            "events.unknown",
            subscription.name,
            f"subscribes to {pattern!r}, and there is no such event.",
            f"Did you mean {close!r}?" if close else f"Events: {sentence_list(catalog)}.",
            where=subscription.where,
        )


def _taken(subscription: Subscription) -> Finding:
    return Finding(
        "events.same_name",
        subscription.name,
        "is the name of another subscriber too, and deliveries are kept by name.",
        'Give one of them another: @app.on(…, name="…").',
        where=subscription.where,
    )
