"""What the developer declared with `expose`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Names of fields, each of them None where the model has no such column.

    created_at, updated_at: moments of the creation and of the last change.
    version: a whole number, 1 in a new row and one more with each change.
    deleted_at: makes DELETE keep the row and set the moment instead; rows that have one are no
        longer there for any reader or writer.

    Clients read them like any other field, as the policy allows, and never write them.
    """

    created_at: str | None = None
    updated_at: str | None = None
    version: str | None = None
    deleted_at: str | None = None


NO_UPKEEP = Upkeep()


@dataclass(frozen=True, slots=True)
class Exposure:
    """One model to be made a resource.

    name: in URLs; None derives it from the class name. search: fields of `q=`; None means none.
    where: "file.py:12" of the expose call, when known.
    reflected: the class was made from an existing database, whose types are taken as they are.
    upkeep: the columns that the server keeps.
    linked: many-to-many relations of which the policy says by itself who may link along them.
    """

    model: type
    name: str | None = None
    search: tuple[str, ...] = ()
    where: str | None = None
    reflected: bool = False
    upkeep: Upkeep = NO_UPKEEP
    linked: frozenset[str] = frozenset()
