"""A target → the application in it, imported."""

from __future__ import annotations

import re
import sys
import traceback
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from types import ModuleType

from fastapi import FastAPI

from tilth.adoption import adopt
from tilth.app import Application
from tilth.cli.models_only import mapped_classes
from tilth.cli.talk import shown_path
from tilth.cli.target import Target, default_source, is_database_url, target_from
from tilth.errors import CommandError, TilthError
from tilth.kit.text import sentence_list, suggest

USUAL_NAMES = ("app", "api", "application")

# What Python says of `Hero.age >= 18 | Hero.open`.
_UNBRACKETED = re.compile(
    r"unsupported operand type\(s\) for [|&]: .*(InstrumentedAttribute|Expression|Clause)"
)


def application_for(named: str | None) -> Application:
    """named: `FILE[:app]`, `pkg.mod:app`, a database URL to adopt, or None for the default.

    Raises CommandError when there is none, SetupError when it cannot be made.
    """
    source = default_source() if named is None else named
    if is_database_url(source):
        return adopt(source)
    target = target_from(source)
    return application_in(imported(target), target)


def imported(target: Target) -> ModuleType:
    """Whatever the developer's code raises becomes a CommandError that says where."""
    if sys.path[:1] != [str(target.folder)]:
        sys.path.insert(0, str(target.folder))
    try:
        # What the developer's code prints must not stand in the document that a program reads.
        with redirect_stdout(sys.stderr):
            module = import_module(target.module)
    except TilthError:
        raise
    except (Exception, SystemExit) as exc:  # code that is not ours may raise anything
        raise _broken(exc, target) from exc
    found = Path(module.__file__ or "").resolve()
    if target.path is not None and found != target.path:
        other = f"it has the name of another module, {found}."
        raise CommandError(f"{target.shown} cannot be imported: {other}", "Rename the file.")
    return module


def application_in(module: ModuleType, target: Target) -> Application:
    """Raises CommandError that says what there is instead."""
    found = applications_in(module)
    if target.name is not None:
        return _named(module, target, target.name, found)
    for name in USUAL_NAMES:
        if name in found:
            return found[name]
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        names = sentence_list(found)
        hint = f"Say which, as in {target.shown}:{next(iter(found))}"
        raise CommandError(f"{target.shown} has several applications: {names}.", hint)
    raise _no_application(module, target)


def applications_in(module: ModuleType) -> dict[str, Application]:
    """By name; one that has two names counts once, under the first."""
    found: dict[str, Application] = {}
    for name, value in vars(module).items():
        if isinstance(value, Application) and not any(value is each for each in found.values()):
            found[name] = value
    return found


def plain_fastapi_in(module: ModuleType) -> str | None:
    """The name of a FastAPI application that is not one of Tilth's."""
    return next((name for name, value in vars(module).items() if _is_plain(value)), None)


def _named(
    module: ModuleType, target: Target, name: str, found: dict[str, Application]
) -> Application:
    value = getattr(module, name, None)
    if isinstance(value, Application):
        return value
    if _is_plain(value):
        raise _plain(target, name)
    if value is not None:
        kind = "class" if isinstance(value, type) else type(value).__name__
        hint = f"Applications there: {sentence_list(found)}."
        raise CommandError(f"{target.shown}: {name} is a {kind}, not an application.", hint)
    close = suggest(name, found)
    hint = f"Did you mean {close}?" if close else f"Applications there: {sentence_list(found)}."
    raise CommandError(f"{target.shown} has nothing called {name}.", hint)


def _no_application(module: ModuleType, target: Target) -> CommandError:
    plain = plain_fastapi_in(module)
    if plain is not None:
        return _plain(target, plain)
    if mapped_classes(module):
        return CommandError(
            f"{target.shown} has models and no application.",
            f'Add app = Tilth("sqlite:///app.db") and app.expose(...), or see what it would be: '
            f"tilth dev {target.shown}",
        )
    return CommandError(
        f"{target.shown} has no application.", 'Add one: app = Tilth("sqlite:///app.db")'
    )


def _is_plain(value: object) -> bool:
    return isinstance(value, FastAPI) and not isinstance(value, Application)


def _plain(target: Target, name: str) -> CommandError:
    return CommandError(
        f"{target.shown}: {name} is a FastAPI application, not one of Tilth's.",
        f'Write {name} = Tilth("sqlite:///app.db"): it is a FastAPI application too, and whatever '
        "works with the one works with the other.",
    )


def _broken(exc: BaseException, target: Target) -> CommandError:
    if isinstance(exc, ModuleNotFoundError) and f"{target.module}.".startswith(f"{exc.name}."):
        return CommandError(f"There is no file or module {target.module}.", _file_for(target))
    place, line = _place_of(exc, target.folder)
    what = f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
    if isinstance(exc, SyntaxError):
        what = f"{type(exc).__name__}: {exc.msg}"
    if isinstance(exc, SystemExit):
        what = f"it ends the program when it is imported (exit code {exc.code})"
    source = f"\n   |  {line}" if line else ""
    return CommandError(f"{place or target.shown}: {what}{source}", _remedy(exc))


def _file_for(target: Target) -> str | None:
    close = suggest(f"{target.module}.py", (path.name for path in target.folder.glob("*.py")))
    return f"Did you mean {close}?" if close else None


def _place_of(exc: BaseException, folder: Path) -> tuple[str | None, str]:
    """The last place in the developer's own code, and the line that stands there."""
    if isinstance(exc, SyntaxError) and exc.filename:
        return f"{shown_path(Path(exc.filename))}:{exc.lineno}", (exc.text or "").strip()
    own = [
        frame
        for frame in traceback.extract_tb(exc.__traceback__)
        if Path(frame.filename).is_relative_to(folder) and "site-packages" not in frame.filename
    ]
    if not own:
        return None, ""
    return f"{shown_path(Path(own[-1].filename))}:{own[-1].lineno}", own[-1].line or ""


def _remedy(exc: BaseException) -> str:
    if isinstance(exc, ModuleNotFoundError):
        return f"Install {exc.name} where tilth is installed, or correct the import."
    if isinstance(exc, SystemExit):
        return 'Put what runs as a program below: if __name__ == "__main__":'
    if isinstance(exc, TypeError) and "Boolean value of this clause" in str(exc):
        return "Combine rules by & | ~ instead of and, or, not: (a) & (b)."
    if isinstance(exc, TypeError) and _UNBRACKETED.search(str(exc)):
        return (
            "In a rule, put each comparison in parentheses, since & and | bind tighter: "
            "(Hero.age >= 18) | Hero.open."
        )
    return "Correct it; --traceback shows where it comes from."
