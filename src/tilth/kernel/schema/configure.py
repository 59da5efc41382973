"""Unfinished mappings → finished ones, or one Finding for each relationship that cannot be."""

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy.exc import AmbiguousForeignKeysError, NoForeignKeysError, SQLAlchemyError
from sqlalchemy.orm import Mapper, RelationshipProperty

from tilth.errors import Finding
from tilth.kernel.schema.place import place_of
from tilth.kernel.schema.tables import declared

# A relationship runs the developer's own text and lambdas, so more than SQLAlchemy's errors come.
_BROKEN = (SQLAlchemyError, NameError, AttributeError, LookupError, TypeError, ValueError)

_REMEDIES = {
    "failed to locate a name": "Check the spelling, and import the module that defines it.",
    "has no property": "Make back_populates on each side name the attribute of the other side.",
    "both of the same direction": "Set remote_side on the side that refers to one row.",
}


def configure(mappers: Iterable[Mapper[Any]]) -> list[Finding]:
    """Resolve the relationships of these mappers' registries; other applications' stay untouched."""
    findings: list[Finding] = []
    for registry in dict.fromkeys(mapper.registry for mapper in mappers):
        try:
            registry.configure(cascade=True)
        except _BROKEN as exc:
            mappers_by_name = sorted(registry.mappers, key=lambda each: each.class_.__name__)
            found = [finding for mapper in mappers_by_name for finding in _broken(mapper)]
            findings.extend(found or [_finding("models", exc, None)])
    return findings


def _broken(mapper: Mapper[Any]) -> Iterator[Finding]:
    """SQLAlchemy stops at the first broken relationship; here the others are tried one by one."""
    for prop in declared(mapper, RelationshipProperty):
        if prop.parent is not mapper or prop._configure_finished:
            continue
        try:
            prop.init()
        except _BROKEN as exc:
            # One with this attribute only repeats that another relationship is broken.
            if not hasattr(exc, "_configure_failed"):
                subject = f"{mapper.class_.__name__}.{prop.key}"
                yield _finding(subject, exc, place_of(mapper.class_))


def _finding(subject: str, exc: Exception, where: str | None) -> Finding:
    reason = str(exc).partition("\n")[0].rstrip(".") + "."
    return Finding("schema.broken_relationship", subject, reason, _remedy(exc), where=where)


def _remedy(exc: Exception) -> str:
    match exc:
        case NoForeignKeysError():
            return "Add a ForeignKey to one of the two tables, or give primaryjoin."
        case AmbiguousForeignKeysError():
            return "Say which foreign key it follows: relationship(foreign_keys=[...])."
    fitting = [remedy for words, remedy in _REMEDIES.items() if words in str(exc)]
    return next(iter(fitting), "Correct the arguments of the relationship.")
