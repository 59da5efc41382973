"""What an application is made of once it is checked, and what one battery adds to it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from starlette.routing import BaseRoute

from tilth.errors import Finding
from tilth.kernel.plan.before import Hooks
from tilth.kernel.plan.cursor import Signer
from tilth.kernel.policy.rulebook import Rulebook
from tilth.kernel.schema.resource import Schema
from tilth.kernel.store.outbox import Outbox
from tilth.kernel.store.record import Records
from tilth.kernel.store.run import Store
from tilth.kernel.store.sessions.sessions import Sessions
from tilth.kernel.store.unit import Units
from tilth.runtime.web.actor import CredentialReader
from tilth.settings import Settings


@dataclass(frozen=True, slots=True, eq=False)
class Backend:
    """The frozen application that every feature serves.

    caching: resource → its Cache-Control. conditional: resources whose rows change with If-Match
    only. hooks: before a change is made. outbox: who is told of it after. sessions: for the developer's own code, made when first asked for.
    units: for writing; None when no policy lets anyone, or the database is not ours. schemes: OpenAPI security schemes of the readers. user_document: the OpenAPI document of the developer's
    own routes, made anew on each call. notes: what adopting a database renamed or left out.
    """

    title: str
    version: str
    schema: Schema
    rulebook: Rulebook
    store: Store
    signer: Signer
    settings: Settings
    readers: Sequence[CredentialReader]
    caching: Mapping[str, str]
    conditional: frozenset[str]
    units: Units | None
    records: Records
    hooks: Hooks
    outbox: Outbox
    sessions: Callable[[], Sessions]
    schemes: Mapping[str, Mapping[str, object]]
    user_document: Callable[[], dict[str, object]]
    notes: tuple[str, ...] = ()


def _no_findings(schema: Schema, own: Sequence[BaseRoute]) -> Sequence[Finding]:
    return ()


def _no_routes(backend: Backend) -> Sequence[BaseRoute]:
    return ()


@runtime_checkable
class Living(Protocol):
    """A route that has something to do while the application serves."""

    def alive(self) -> AbstractAsyncContextManager[None]:
        """Entered at the start, in the application's event loop, and left at its end."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One battery. routes: made once, when the application is frozen, behind the developer's own.

    checks: what is wrong between the schema and the developer's own routes.
    """

    name: str
    routes: Callable[[Backend], Sequence[BaseRoute]] = _no_routes
    readers: tuple[CredentialReader, ...] = ()
    checks: Callable[[Schema, Sequence[BaseRoute]], Sequence[Finding]] = _no_findings
