"""Reusable parts of the document, each under a name that nothing else has."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

Part = Mapping[str, Any]
Reference = dict[str, str]

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")


class Names:
    """Hands out each name once."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)

    def fresh(self, wanted: str) -> str:
        """The wanted name, or with the first number that makes it free."""
        name, number = wanted, 2
        while name in self._taken:
            name, number = f"{wanted}{number}", number + 1
        self._taken.add(name)
        return name


class Components:
    """Collects parts while the document is made. Names already written keep their meaning."""

    def __init__(self, written: Mapping[str, Mapping[str, Part]]) -> None:
        self._written = written
        self._names: dict[str, Names] = {}
        self.parts: dict[str, dict[str, Part]] = {}

    def reserve(self, section: str, wanted: str) -> Reference:
        """A reference to a part that is filled in later, since parts may refer to each other."""
        names = self._names.setdefault(section, Names(self._written.get(section, {})))
        name = names.fresh(_NOT_IN_A_NAME.sub("_", wanted))
        return {"$ref": f"#/components/{section}/{name}"}

    def fill(self, reference: Reference, part: Part) -> None:
        section, name = reference["$ref"].split("/")[-2:]
        self.parts.setdefault(section, {})[name] = part

    def add(self, section: str, wanted: str, part: Part) -> Reference:
        reference = self.reserve(section, wanted)
        self.fill(reference, part)
        return reference
