"""Which URLs open a database, and that opening connects to nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from tilth.errors import SetupError
from tilth.kernel.store.engine import open_database
from tilth.settings import StoreSettings


@pytest.mark.parametrize(
    ("url", "label"),
    [
        ("sqlite:////srv/shop.db", "sqlite:////srv/shop.db"),
        ("sqlite+aiosqlite:////srv/shop.db?mode=ro", "sqlite:////srv/shop.db"),
        ("sqlite://", "sqlite://"),
        ("sqlite:///:memory:", "sqlite://"),
        ("postgresql://me:secret@h:1/shop?sslmode=require", "postgresql://me:***@h:1/shop"),
        ("postgres://me:secret@h/shop", "postgresql://me:***@h/shop"),
        ("postgresql+asyncpg://me:secret@h/shop?ssl=require", "postgresql://me:***@h/shop"),
        ("postgresql+psycopg://me:secret@h/shop", "postgresql://me:***@h/shop"),
        ("postgresql:///shop?host=/run/postgresql", "postgresql:///shop"),
    ],
)
def test_url_is_accepted_without_connecting(url: str, label: str) -> None:
    assert open_database(url, StoreSettings()).label == label


def test_relative_path_is_taken_from_the_directory_of_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert open_database("sqlite:///shop.db", StoreSettings()).url.database == f"{tmp_path}/shop.db"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("oracle://me:secret@h/shop", "Tilth cannot use 'oracle' databases."),
        ("postgresql+pg8000://me:secret@h/shop", "Tilth cannot use 'postgresql+pg8000' databases."),
        ("me:secret@h/shop", "This is not a database URL."),
        ("postgresql://me:secret@h:port/shop", "This is not a database URL."),
        ("", "This is not a database URL."),
    ],
)
def test_other_url_is_refused_with_the_accepted_forms(url: str, reason: str) -> None:
    with pytest.raises(SetupError) as caught:
        open_database(url, StoreSettings())

    assert str(caught.value) == (
        f"error[settings.database] database URL: {reason} Write sqlite:///path/to/file.db, "
        "sqlite:// (in memory), postgresql://user:password@host:5432/database or "
        "mariadb://user:password@host:3306/database."
    )
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("path", ["heroes.db", "folder/heroes.db"])
def test_url_with_one_slash_too_few_is_told_the_right_one(path: str) -> None:
    with pytest.raises(SetupError, match=f"A slash is missing.*Write sqlite:///{path}"):
        open_database(f"sqlite://{path}", StoreSettings())


@pytest.mark.parametrize(
    ("driver", "call"),
    [
        ("asyncpg", "engine.open_database('postgresql:///shop', settings.StoreSettings())"),
        ("psycopg", "sync.sync_engine('postgresql:///shop')"),
    ],
)
def test_missing_driver_is_told_with_the_extra_to_install(driver: str, call: str) -> None:
    program = (
        f"import sys; sys.modules['{driver}'] = None\n"
        "from tilth import errors, settings; from tilth.kernel.store import engine, sync\n"
        f"try: {call}\nexcept errors.SetupError as error: print(error)"
    )

    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)

    assert answer.stdout.decode().strip() == (
        f"error[settings.driver] database URL: PostgreSQL needs the driver {driver}, "
        "which is not installed. Install tilth[postgres]."
    )
