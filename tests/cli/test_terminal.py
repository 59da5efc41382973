"""What the command line looks like: help, mistakes in commands, and colour only where it is seen."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
import typer

from tilth.cli.main import command_line

TILTH = str(Path(sys.executable).with_name("tilth"))
ESCAPE = "\x1b["

MISTAKES = [
    ("serv", "There is no command serv.\n  help: Did you mean serve?"),
    ("policy explian", "There is no command explian.\n  help: Did you mean explain?"),
    ("serve --prot 1", "There is no option --prot.\n  help: Did you mean --port?"),
    ("dev --no-relod", "There is no option --no-relod.\n  help: Did you mean --no-reload?"),
    ("serve --zzz", "There is no option --zzz.\n  help: See: tilth serve --help"),
    ("serve --port 99999", "Invalid value for '--port'"),
    ("policy explain bob", "Missing argument"),
    ("policy", "Usage: tilth policy"),
]


@pytest.mark.parametrize(("arguments", "said"), MISTAKES, ids=[row[0] for row in MISTAKES])
def test_mistaken_command_is_a_usage_error(
    arguments: str, said: str, tmp_path: Path, run: Callable[..., Any]
) -> None:
    ended = run(*arguments.split(), cwd=tmp_path)

    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


def test_mistaken_command_is_a_document_when_asked_for(
    tmp_path: Path, run: Callable[..., Any]
) -> None:
    ended = run("serve", "--prot", "1", "--json", cwd=tmp_path)

    assert ended.code == 2
    assert ended.document == {
        "error": {"message": "There is no option --prot.", "hint": "Did you mean --port?"}
    }


def test_version_is_data(tmp_path: Path, run: Callable[..., Any]) -> None:
    ended = run("--version", cwd=tmp_path)

    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("tilth ")


def test_help_lists_every_command(tmp_path: Path, run: Callable[..., Any]) -> None:
    ended = run("--help", cwd=tmp_path)

    listed = {line.split()[0] for line in ended.out.splitlines() if line.startswith("  ")}
    assert {"dev", "serve", "show", "check", "policy", "openapi", "models"} <= listed


def test_every_command_answers_programs() -> None:
    group = cast(Any, typer.main.get_command(command_line()))
    commands = [*_commands_of(group)]

    without = [
        command.name
        for command in commands
        if not any("--json" in parameter.opts for parameter in command.params)
    ]

    assert len(commands) == 32
    assert without == []


def test_colour_is_for_terminals_that_want_it(heroes_folder: Path, on_terminal: OnTerminal) -> None:
    coloured = on_terminal("show", "zzz", cwd=heroes_folder, TERM="xterm-256color")
    plain = on_terminal("show", "zzz", cwd=heroes_folder, TERM="xterm-256color", NO_COLOR="1")

    assert f"{ESCAPE}1;31merror" in coloured
    assert f"{ESCAPE}1;31m" not in plain
    assert "There is no resource zzz." in plain


def test_pipe_gets_no_colour(heroes_folder: Path, run: Callable[..., Any]) -> None:
    shown, refused = run("show", cwd=heroes_folder), run("show", "zzz", cwd=heroes_folder)

    assert ESCAPE not in shown.out + shown.err + refused.err


def test_pipe_gets_a_line_for_each_resource(heroes_folder: Path, run: Callable[..., Any]) -> None:
    lines = run("show", cwd=heroes_folder, COLUMNS="40").out.splitlines()

    assert [line.split()[0] for line in lines if line[0].isalpha()] == [
        "resource",
        "teams",
        "heroes",
        "secrets",
    ]


OnTerminal = Callable[..., str]


@pytest.fixture
def on_terminal() -> OnTerminal:
    """on_terminal(*arguments, cwd, **environment): what a terminal would show."""

    def run(*arguments: str, cwd: Path, **environment: str) -> str:
        ours, theirs = os.openpty()
        process = subprocess.Popen(
            [TILTH, *arguments],
            cwd=cwd,
            env=_without_wishes(os.environ) | environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        shown = _read_to_end(ours)
        process.wait()
        os.close(ours)
        return shown

    return run


def _commands_of(group: Any) -> Iterator[Any]:
    for command in group.commands.values():
        yield from _commands_of(command) if hasattr(command, "commands") else [command]


def _without_wishes(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}


def _read_to_end(terminal: int) -> str:
    pieces = []
    try:
        while piece := os.read(terminal, 65536):
            pieces.append(piece)
    except OSError:
        # Linux says so when the last program on a terminal ends.
        pass
    return b"".join(pieces).decode()
