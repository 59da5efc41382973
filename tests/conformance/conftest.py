"""Databases that nobody wishes for, built once, and the comparison with plain SQL of bench/."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "bench"))


@pytest.fixture(scope="session")
def nasty() -> ModuleType:
    path = Path(__file__).with_name("nasty.py")
    spec = importlib.util.spec_from_file_location("nasty", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def nasty_sqlite_url(nasty: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("nasty") / "nasty.db"
    nasty.build_nasty_sqlite(str(path))
    return f"sqlite:///{path}"


@pytest.fixture(scope="session")
def nasty_postgres_url(nasty: ModuleType, postgres_server) -> Iterator[str]:  # type: ignore[no-untyped-def]
    with postgres_server.new_database() as url:
        nasty.build_nasty_postgresql(url)
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def nasty_url(request: pytest.FixtureRequest) -> str:
    name = {"sqlite": "nasty_sqlite_url", "postgresql": "nasty_postgres_url"}[request.param]
    url: str = request.getfixturevalue(name)
    return url
