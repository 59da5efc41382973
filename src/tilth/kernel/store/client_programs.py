"""PostgreSQL's own programs: where they are, and how they are told of a database.

Whoever may list processes reads their arguments, so the password goes by the environment.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from glob import glob

from sqlalchemy.engine import URL

from tilth.errors import CommandError, SetupError
from tilth.kernel.store.engine import missing_driver

PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/libpq/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/libpq/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)
"""Where packages put them when several versions may be installed, none of them on the PATH."""

_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")


@dataclass(frozen=True, slots=True)
class Program:
    """version: the number before the point, as servers are told apart by it."""

    path: str
    version: int


def program(name: str, version: int = 0) -> Program:
    """The first that is found, on the PATH and then in PLACES, and is not older than the server.

    version: of the server. Raises CommandError that says what to install.
    """
    found = list(_programs(name))
    for each in found:
        if each.version >= version:
            return each
    least = f" {version} or newer" if version else ""
    package = f"postgresql-client-{version}" if version else "postgresql-client"
    hint = (
        f"Install PostgreSQL's programs{least}: apt install {package}, dnf install postgresql, "
        "brew install libpq. Or put the folder they are in on the PATH."
    )
    if not found:
        raise CommandError(f"The program {name} is not installed here.", hint)
    newest = max(found, key=lambda each: each.version)
    raise CommandError(
        f"{newest.path} is of version {newest.version}, and the server of version {version}: a "
        "program does not understand a newer server.",
        hint,
    )


def environment_of(
    url: URL, environment: Mapping[str, str], *, read_only: bool = False
) -> dict[str, str]:
    """The environment in which libpq's programs connect to this database without being told more.

    What the URL does not say is left to the environment and to the files libpq itself looks into.
    """
    try:
        from psycopg import pq
    except ModuleNotFoundError as exc:
        raise SetupError(missing_driver("psycopg")) from exc
    known = url.set(drivername="postgresql+psycopg")
    _, said = known.get_dialect()().create_connect_args(known)
    if read_only:
        said["options"] = f"{said.get('options', '')} -c default_transaction_read_only=on".strip()
    names = {each.keyword.decode(): each.envvar for each in pq.Conninfo.get_defaults()}
    told = {names.get(name): str(value) for name, value in said.items()}
    return {**environment, **{name.decode(): value for name, value in told.items() if name}}


def run(tool: Program, arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """What it printed. Raises CommandError with what it had to say when it fails."""
    done = subprocess.run(
        [tool.path, *arguments],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise CommandError(f"{os.path.basename(tool.path)} failed: {_first_error(done.stderr)}")
    return done.stdout


def _programs(name: str) -> Iterator[Program]:
    named = os.environ.get("PATH", os.defpath).split(os.pathsep)
    usual = sorted((folder for place in PLACES for folder in glob(place)), reverse=True)
    for folder in dict.fromkeys([*named, *usual]):
        path = shutil.which(name, path=folder) if folder else None
        version = _version_of(path) if path else None
        if path and version is not None:
            yield Program(path, version)


def _version_of(path: str) -> int | None:
    """None for what cannot be run, such as a wrapper with nothing behind it."""
    try:
        told = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return None
    found = _VERSION.search(told.stdout)
    return int(found[1]) if found else None


def _first_error(text: str) -> str:
    """What comes after it only follows from it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in lines if "error:" in line.lower()] or lines
    return told[0].partition("error: ")[2] or told[0] if told else "it did not say why."
