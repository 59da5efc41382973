"""Addresses are told when they answer: after the application's own start, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

STARTING = """\
import sys
from contextlib import asynccontextmanager

from tilth import Tilth


@asynccontextmanager
async def lifespan(app):
    print("starting", file=sys.stderr, flush=True)
    yield


app = Tilth("sqlite:///x.db", lifespan=lifespan)
"""
FAILING = STARTING.replace("    yield", '    raise LookupError("no broker")\n    yield')
WAYS = ["dev --no-reload", "serve", "serve --workers 2"]
PATIENCE_SECONDS = 60


@pytest.fixture
def folder(tmp_path: Path, write: Callable[..., Path]) -> Path:
    """A project whose application starts in app.py and fails to in failing.py."""
    return write(tmp_path, {"app.py": STARTING, "failing.py": FAILING, "x.db": ""})


@pytest.mark.parametrize("way", WAYS)
def test_addresses_follow_the_start_of_the_application(
    way: str, folder: Path, start: Callable[..., Any]
) -> None:
    with start(*way.split(), "app.py", cwd=folder) as server:
        answer = httpx.get(f"{server.base}/livez", timeout=PATIENCE_SECONDS)

    told = server.told.splitlines()
    assert told[0] == "starting"
    assert told[-1].startswith("  OpenAPI ")
    assert answer.status_code == 200


@pytest.mark.parametrize("way", WAYS)
def test_failed_start_tells_no_addresses(way: str, folder: Path, run: Callable[..., Any]) -> None:
    ended = run(*way.split(), "failing.py", "--port", "0", "--json", cwd=folder)

    assert (ended.code, ended.out) == (3, "")
    assert "LookupError: no broker" in ended.err
    assert "OpenAPI" not in ended.err


def test_addresses_are_told_once_the_application_is_mended(
    folder: Path, start: Callable[..., Any]
) -> None:
    file = folder / "app.py"
    with start("dev", "app.py", cwd=folder) as server:
        file.write_text(FAILING)
        failed = server.lines_until("Waiting for a change.")
        file.write_text(STARTING)
        mended = server.lines_until("Ready again.")

    assert "The worker ended with exit code 3." in failed
    assert "Ready again." not in failed
    assert mended.splitlines()[-2:] == ["starting", "Ready again."]
