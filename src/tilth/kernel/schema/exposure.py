"""What the developer declared with `expose`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Exposure:
    """One model to be made a resource.

    name: in URLs; None derives it from the class name. search: fields of `q=`; None means none.
    where: "file.py:12" of the expose call, when known.
    reflected: the class was made from an existing database, whose types are taken as they are.
    """

    model: type
    name: str | None = None
    search: tuple[str, ...] = ()
    where: str | None = None
    reflected: bool = False
