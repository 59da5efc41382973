"""Operations → one job: each is planned when those before it are done, and all are kept or none."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import orjson

from tilth.errors import Fault, MethodNotAllowed, ProblemError, invalid
from tilth.features.api.service.addresses import Address, address_of, check_is_here
from tilth.features.api.service.allowed import declared_methods
from tilth.features.api.service.batch.locking import lock_rows
from tilth.features.api.service.batch.operations import METHODS, Operation
from tilth.features.api.service.batch.references import Results, Row, body_with, path_with
from tilth.features.api.service.changes import Conditions, change_intent
from tilth.features.api.service.media import JSON
from tilth.features.api.service.outcome import TOLD, Job, Outcome, outcome_of
from tilth.features.api.service.preferences import Preferences
from tilth.kernel.plan.intent import WriteIntent
from tilth.kernel.plan.sight import Sight
from tilth.kernel.plan.size import Size
from tilth.kernel.plan.write import plan_write
from tilth.kernel.store.apply import Change, apply
from tilth.kernel.store.scope import Scope
from tilth.settings import WebSettings


def batch_job(
    operations: Sequence[Operation],
    conditional: Collection[str],
    base: str,
    wanted: Preferences,
    limits: WebSettings,
) -> Job:
    """conditional: resources whose rows are changed with if_match only.

    limits: of bodies, kept by what references make of them as well.
    """

    def job(scope: Scope) -> Outcome:
        done = Results(limits.json_depth, limits.json_bytes)
        size = Size()
        results: list[dict[str, object]] = []
        lock_rows(scope, operations)
        for operation in operations:
            with _told_where(operation):
                intent = _intent(operation, done, scope.sight, conditional)
            place = f"{operation.pointer}/body"
            with _told_where(operation, "/body"), scope.at(place):
                plan = plan_write(replace(intent, size=size), scope.sight)
                change = apply(scope, plan)
            done.rows |= dict.fromkeys(_names(operation), _row_of(change))
            results.append(_result(outcome_of(change, base, Preferences(minimal=wanted.minimal))))
            # The next one finds what is stored, as a request of its own would.
            scope.session.expunge_all()
        headers = {"preference-applied": wanted.applied} if wanted.applied else {}
        body = orjson.dumps({"results": results})
        return Outcome(200, {**headers, "content-type": JSON}, body)

    return job


def _names(operation: Operation) -> Iterator[str]:
    yield str(operation.index)
    if operation.name is not None:
        yield operation.name


def _row_of(change: Change) -> Row | None:
    """As the caller may read it: a reference tells no more than an answer does."""
    is_row = change.plan.action in ("create", "update")
    row = change.after if is_row else None
    return row.shown if row is not None and row.granted["read"] else None


def _result(outcome: Outcome) -> dict[str, object]:
    headers = {name: outcome.headers[name] for name in TOLD if name in outcome.headers}
    body = orjson.Fragment(outcome.body) if outcome.body else None
    return {"status": outcome.status, "headers": headers, "body": body}


def _intent(
    operation: Operation, done: Results, sight: Sight, conditional: Collection[str]
) -> WriteIntent:
    path = path_with(done, operation.path, "/path")
    address = address_of(path.removeprefix("/").split("/"), sight)
    _check_method(operation.method, address, sight)
    if operation.method != "DELETE" and address.place != "link" and not operation.has_body:
        raise invalid([Fault("/body", "required", "Is required.")])
    body = body_with(done, operation.body, "/body")
    conditions = Conditions(() if operation.if_match is None else (operation.if_match,))
    return change_intent(operation.method, address, body, conditions, conditional)


def _check_method(method: str, address: Address, sight: Sight) -> None:
    """Raises what a request of its own would be answered with."""
    declared = declared_methods(sight, address, writable=True)
    of_one_row = METHODS if address.place != "collection" else ("POST",)
    one_row = [each for each in declared if each in of_one_row]
    if method in one_row:
        return
    check_is_here(sight, address)
    allowed = ", ".join(one_row)
    detail = f"{method} is not for this address in a batch. Methods: {allowed}."
    raise MethodNotAllowed(detail, headers={"allow": allowed})


@contextmanager
def _told_where(operation: Operation, below: str = "") -> Iterator[None]:
    """An error that names its operation, and the members of it that are wrong."""
    try:
        yield
    except ProblemError as exc:
        faults = [
            replace(fault, pointer=f"{operation.pointer}{below}{fault.pointer}")
            for fault in exc.faults
        ] or [Fault(operation.pointer, exc.code, exc.detail)]
        detail = f"Operation {operation.index}: {exc.detail}"
        raise replace(exc, detail=detail, faults=faults) from exc
