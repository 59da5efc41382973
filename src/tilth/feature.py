"""What an application is made of once it is checked, and what one battery adds to it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from sqlalchemy import MetaData
from starlette.middleware import Middleware
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
    own: Tilth's own tables that this application uses. roles: declared in code, with their permissions.
    states: by the name of the feature.
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
    own: tuple[MetaData, ...] = ()
    roles: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    states: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))


def _no_findings(*_: object) -> Sequence[Finding]:
    return ()


def _no_routes(backend: Backend) -> Sequence[BaseRoute]:
    return ()


def _no_readers(backend: Backend) -> Sequence[CredentialReader]:
    return ()


def _no_layers(backend: Backend) -> Sequence[Middleware]:
    return ()


def _no_life(backend: Backend) -> AbstractAsyncContextManager[object]:
    return nullcontext()


def _no_state(backend: Backend) -> object:
    return None


def _no_schemes() -> Mapping[str, Mapping[str, object]]:
    return MappingProxyType({})


@runtime_checkable
class Living(Protocol):
    """A route that has something to do while the application serves."""

    def alive(self) -> AbstractAsyncContextManager[None]:
        """Entered at the start, in the application's event loop, and left at its end."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One battery. routes: made once, when the application is frozen, behind the developer's own.

    checks: what is wrong between the schema and the developer's own routes. refusals: what is wrong
    with the settings. metadata: its own tables. schemes: OpenAPI security schemes of its readers.
    layers: around every request, inside those everybody has. life: entered while it serves.
    state: what its own routes and commands find again in Backend.states.
    """

    name: str
    routes: Callable[[Backend], Sequence[BaseRoute]] = _no_routes
    readers: Callable[[Backend], Sequence[CredentialReader]] = _no_readers
    checks: Callable[[Schema, Sequence[BaseRoute]], Sequence[Finding]] = _no_findings
    refusals: Callable[[Settings], Sequence[Finding]] = _no_findings
    metadata: MetaData | None = None
    schemes: Mapping[str, Mapping[str, object]] = field(default_factory=_no_schemes)
    layers: Callable[[Backend], Sequence[Middleware]] = _no_layers
    life: Callable[[Backend], AbstractAsyncContextManager[object]] = _no_life
    state: Callable[[Backend], object] = _no_state


class Battery(Protocol):
    """What turns a feature on and says how, such as `tilth.Auth`."""

    def feature(self) -> Feature: ...
