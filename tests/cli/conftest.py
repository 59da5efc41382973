"""The command in a process of its own, over small projects in temporary folders."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

COMMAND = [str(Path(sys.executable).with_name("tilth"))]
PATIENCE_SECONDS = 120

HEROES = """\
from sqlmodel import Field, Relationship, SQLModel

from tilth import Policy, Tilth, me, public, role


class Team(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=80)
    heroes: list["Hero"] = Relationship(back_populates="team")


class Hero(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str
    age: int | None = None
    email: str | None = None
    owner_id: str | None = None
    team_id: int | None = Field(default=None, foreign_key="team.id")
    team: Team | None = Relationship(back_populates="heroes")


class Secret(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    text: str


app = Tilth("sqlite:///heroes.db")
app.expose(Team, Policy(read=public, write=role("admin")))
app.expose(
    Hero,
    Policy(
        read=(Hero.age >= 18) | (Hero.owner_id == me.id) | role("admin"),
        fields={"email": Hero.owner_id == me.id},
        preset={"owner_id": me.id},
    ),
    search=["name"],
)
app.expose(Secret, Policy(read=role("admin")))
"""

MODELS = """\
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers. told: what it said on stderr until then."""

    base: str
    told: str
    process: subprocess.Popen[str]

    def lines_until(self, text: str) -> str:
        """What it says from here on, up to the line with this text."""
        return read_until(self.process.stderr, text)


Run = Callable[..., Ended]
Start = Callable[..., AbstractContextManager[Server]]


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder


@pytest.fixture(scope="module", name="write")
def write_fixture() -> Callable[[Path, Mapping[str, str]], Path]:
    """write(folder, {name: text}): answers the folder."""
    return write


@pytest.fixture(scope="module")
def heroes_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the application of HEROES in app.py, and models without one in models.py."""
    return write(tmp_path_factory.mktemp("heroes"), {"app.py": HEROES, "models.py": MODELS})


@pytest.fixture
def models_folder(tmp_path: Path) -> Path:
    """A project with nothing but models.py."""
    return write(tmp_path, {"models.py": MODELS})


@pytest.fixture(scope="session")
def forked() -> Iterator[subprocess.Popen[str]]:
    """A process that has imported the command and forks for each run; see forked.py."""
    process = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("forked.py")],
        env=clean_environment({}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        yield process


@pytest.fixture(scope="session")
def run(forked: subprocess.Popen[str], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """run(*arguments, cwd, **environment): to the end."""
    out, err = (tmp_path_factory.mktemp("run") / name for name in ("out", "err"))

    def run(*arguments: str, cwd: Path, **environment: str) -> Ended:
        asked = {"arguments": arguments, "cwd": str(cwd), "out": str(out), "err": str(err)}
        asked["environment"] = clean_environment(environment)
        with ended_in_time(forked):
            print(json.dumps(asked), file=forked.stdin, flush=True)
            code = int(forked.stdout.readline())
        return Ended(code, out.read_text("utf-8"), err.read_text("utf-8"))

    return run


@pytest.fixture(scope="module")
def start() -> Start:
    """start(*arguments, cwd, **environment): a server on a free port, ended when left."""

    @contextmanager
    def start(*arguments: str, cwd: Path, **environment: str) -> Iterator[Server]:
        process = subprocess.Popen(
            [*COMMAND, *arguments, "--port", "0"],
            cwd=cwd,
            env=clean_environment(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            with ended_in_time(process):
                told = read_until(process.stderr, "  OpenAPI ")
                found = re.search(r"(http\S+)/openapi\.json", told)
                assert found is not None, told
                yield Server(found[1], told, process)
        finally:
            process.terminate()
            process.wait(PATIENCE_SECONDS)
            end_group(process)
            process.communicate()

    return start


@contextmanager
def ended_in_time(process: subprocess.Popen[str]) -> Iterator[None]:
    """A process that says nothing fails the test instead of holding it up for ever."""
    watchdog = Timer(PATIENCE_SECONDS, end_group, [process])
    watchdog.start()
    try:
        yield
    finally:
        watchdog.cancel()


def end_group(process: subprocess.Popen[str]) -> None:
    """With workers that were left behind, which only a failed test does."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def clean_environment(given: Mapping[str, str]) -> dict[str, str]:
    """Nothing that changes how commands look or what they read."""
    unwanted = ("TILTH_", "NO_COLOR", "FORCE_COLOR", "GITHUB_ACTIONS", "COLUMNS")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(unwanted)}
    return kept | dict(given)


def read_until(stream: Any, text: str) -> str:
    lines = []
    for line in stream:
        lines.append(line)
        if text in line:
            return "".join(lines)
    raise AssertionError(f"ended without {text!r}:\n{''.join(lines)}")
