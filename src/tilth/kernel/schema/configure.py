"""Unfinished mappings → finished ones, or one Finding for each relationship that cannot be."""

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy.exc import AmbiguousForeignKeysError, NoForeignKeysError
from sqlalchemy.orm import Mapper, RelationshipProperty
from sqlalchemy.orm.attributes import QueryableAttribute

from tilth.errors import Finding
from tilth.kernel.schema.place import place_of

_REMEDIES: tuple[tuple[str, str], ...] = (
    (
        "failed to locate a name",
        "Check the spelling, and import the module that defines the class.",
    ),
    ("has no property", "Make back_populates on each side name the attribute of the other side."),
    ("both of the same direction", "Set remote_side on the side that refers to one row."),
)


def configure(mappers: Iterable[Mapper[Any]]) -> list[Finding]:
    """Resolve the relationships of these mappers' registries; other applications' are not touched."""
    findings: list[Finding] = []
    for registry in dict.fromkeys(mapper.registry for mapper in mappers):
        try:
            registry.configure(cascade=True)
        # Relationships run the developer's own lambdas, which may raise anything.
        except Exception as exc:
            found = [each for mapper in _by_name(registry.mappers) for each in _broken(mapper)]
            findings.extend(found or [_finding("models", exc, None)])
    return findings


def _by_name(mappers: Iterable[Mapper[Any]]) -> list[Mapper[Any]]:
    return sorted(mappers, key=lambda mapper: mapper.class_.__name__)


def _broken(mapper: Mapper[Any]) -> Iterator[Finding]:
    """SQLAlchemy stops at the first broken relationship; the others are tried one by one."""
    for name, attribute in mapper.all_orm_descriptors.items():
        prop = attribute.comparator.prop if isinstance(attribute, QueryableAttribute) else None
        if not isinstance(prop, RelationshipProperty) or prop.parent is not mapper:
            continue
        if prop._configure_finished:
            continue
        try:
            prop.init()
        except Exception as exc:
            # This one only repeats that another relationship is broken.
            if not hasattr(exc, "_configure_failed"):
                yield _finding(f"{mapper.class_.__name__}.{name}", exc, place_of(mapper.class_))


def _finding(subject: str, exc: Exception, where: str | None) -> Finding:
    reason = str(exc).partition("\n")[0].rstrip(".") + "."
    return Finding("schema.broken_relationship", subject, reason, _remedy(exc), where=where)


def _remedy(exc: Exception) -> str:
    match exc:
        case NoForeignKeysError():
            return "Add a ForeignKey to one of the two tables, or give primaryjoin."
        case AmbiguousForeignKeysError():
            return "Say which foreign key it follows: relationship(foreign_keys=[...])."
    fitting = [remedy for words, remedy in _REMEDIES if words in str(exc)]
    return fitting[0] if fitting else "Correct the arguments of the relationship."
