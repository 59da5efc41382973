"""One address of accounts: what is called there, and what OpenAPI says of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any

from fastapi import Depends
from starlette.requests import HTTPConnection

from tilth.features.auth.service.accounts import Accounts
from tilth.scopes import application_of

NAME = "auth"
"""Of the feature, and of what it keeps in the backend."""

SECOND_FACTOR = "A second factor is asked for."


@dataclass(frozen=True, slots=True)
class Endpoint:
    """answers: the model of its body. others: status → model, for answers of other kinds."""

    method: str
    path: str
    call: Callable[..., Any]
    status: int = 200
    answers: Any = None
    others: Mapping[int | str, dict[str, Any]] = field(default_factory=lambda: MappingProxyType({}))


def accounts_here(connection: HTTPConnection) -> Accounts:
    accounts = application_of(connection).freeze().states[NAME]
    assert isinstance(accounts, Accounts)
    return accounts


Here = Annotated[Accounts, Depends(accounts_here)]
