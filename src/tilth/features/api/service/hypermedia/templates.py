"""What a caller may do to a row or in a collection → HAL-FORMS templates.

https://rwcbook.github.io/hal-forms/: each says method, target, media type and fields of a request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from tilth.features.api.service.allowed import READING
from tilth.features.api.service.bodies import MERGE_PATCH
from tilth.features.api.service.hypermedia.drawing import Drawing
from tilth.features.api.service.hypermedia.properties import Change, properties_of
from tilth.features.api.service.media import JSON
from tilth.kernel.plan.shape import Granted
from tilth.kernel.policy.access import Rights
from tilth.kernel.store.decode import GRANTED

Template = dict[str, Any]
Templates = dict[str, Template]

_METHODS = ("POST", "PUT", "PATCH", "DELETE")


class Forms:
    """The templates of one resource's rows. The fields of rows that are alike are written once."""

    def __init__(self, drawing: Drawing, rights: Rights) -> None:
        self._drawing, self._rights = drawing, rights
        self._written: dict[tuple[Change, frozenset[str]], orjson.Fragment] = {}

    def of_row(self, address: str | None, row: Mapping[str, Any]) -> Templates:
        if address is None or not self._drawing.writable:
            return {}
        granted: Granted = row[GRANTED]
        templates: Templates = {}
        if ("update", "") in granted:
            masked = self._masked(granted)
            templates["update"] = self._with_body("update", "PATCH", address, MERGE_PATCH, masked)
            templates["replace"] = self._with_body("replace", "PUT", address, JSON, masked)
        if ("delete", "") in granted:
            templates["delete"] = bare("delete", address)
        return templates

    def _masked(self, granted: Granted) -> frozenset[str]:
        """What may not be read on this row may not be written either."""
        masked = self._rights.access.masked
        return frozenset(name for name in masked if ("read", name) not in granted)

    def _with_body(
        self, change: Change, method: str, target: str, content: str, without: frozenset[str]
    ) -> Template:
        written = self._written.get((change, without))
        if written is None:
            properties = properties_of(self._drawing, self._rights, change, without)
            written = orjson.Fragment(orjson.dumps(list(properties)))
            self._written[change, without] = written
        return {
            "title": change,
            "method": method,
            "target": target,
            "contentType": content,
            "properties": written,
        }

    def of_collection(self, address: str, given: Iterable[str] = ()) -> Templates:
        """given: fields that follow from where the row is created."""
        return {"create": self._with_body("create", "POST", address, JSON, frozenset(given))}


def bare(title: str, target: str) -> Template:
    return {"title": title, "method": "DELETE", "target": target}


def allow(templates: Mapping[str, Template]) -> str:
    """`Allow` for what the templates offer."""
    offered = {template["method"] for template in templates.values()}
    return ", ".join([*READING, *(method for method in _METHODS if method in offered)])
