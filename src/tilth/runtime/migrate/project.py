"""Where an application's migrations are: a folder of its own, or an Alembic project as it is."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData
from sqlalchemy.engine import URL

from tilth.errors import CommandError
from tilth.kernel.store.engine import refuse_mariadb
from tilth.settings import MigrateSettings

VERSION_TABLE = "alembic_version"
LOG_TABLE = "tilth_migration"
CHECKSUMS = "checksums.txt"
FOLDER = "migrations"


@dataclass(frozen=True, slots=True, eq=False)
class Project:
    """metadatas: what the application's models and Tilth itself need.

    folder: of the revision files that are written. ini: of an Alembic project that was adopted.
    place: of the `alembic` script directory. version_schema: of the table that has the heads.
    """

    url: URL
    metadatas: tuple[MetaData, ...]
    folder: Path
    place: Path
    settings: MigrateSettings
    is_production: bool
    ini: Path | None = None
    version_table: str = VERSION_TABLE
    version_schema: str | None = None

    @property
    def is_adopted(self) -> bool:
        return self.ini is not None

    @property
    def own_tables(self) -> tuple[str, ...]:
        """Tables of the migrations themselves, which no revision makes."""
        schema = f"{self.version_schema}." if self.version_schema else ""
        return (f"{schema}{self.version_table}", LOG_TABLE)

    @property
    def checksums(self) -> Path:
        return self.folder / CHECKSUMS

    def config(self) -> Config:
        config = Config(self.ini) if self.ini else Config()
        if self.ini is None:
            config.set_main_option("script_location", str(self.place).replace("%", "%%"))
            config.set_main_option("version_locations", str(self.folder).replace("%", "%%"))
            config.set_main_option("path_separator", "newline")
        return config

    def script(self) -> ScriptDirectory:
        """Read anew on each call: files come and go. The folder is made if it is not there."""
        if self.ini is None:
            self.folder.mkdir(parents=True, exist_ok=True)
        return ScriptDirectory.from_config(self.config())


@dataclass(frozen=True, slots=True)
class Wanted:
    """What pyproject.toml says under [tool.tilth]. folder: "migrations" there, if it is given."""

    root: Path
    folder: Path | None = None


def project_from(
    wanted: Wanted,
    url: URL,
    metadatas: Sequence[MetaData],
    settings: MigrateSettings,
    *,
    is_production: bool,
) -> Project:
    """An alembic.ini beside the application, or in the folder that is named, is adopted."""
    refuse_mariadb(url, "Migrations are")
    folder = wanted.folder or wanted.root / FOLDER
    for ini in (folder / "alembic.ini", wanted.root / "alembic.ini"):
        if ini.is_file():
            return _adopted(ini, url, metadatas, settings, is_production)
    return Project(url, tuple(metadatas), folder, folder, settings, is_production)


def _adopted(
    ini: Path,
    url: URL,
    metadatas: Sequence[MetaData],
    settings: MigrateSettings,
    is_production: bool,
) -> Project:
    script = ScriptDirectory.from_config(Config(ini))
    place = Path(script.dir)
    table, schema = _version_table(place / "env.py")
    folder = Path(script.versions) if len(script._version_locations) == 1 else place / "versions"
    return Project(
        url, tuple(metadatas), folder, place, settings, is_production, ini, table, schema
    )


def _version_table(env: Path) -> tuple[str, str | None]:
    """As env.py gives them to `context.configure`; env.py itself is not run."""
    if not env.is_file():
        return VERSION_TABLE, None
    found: dict[str, str | None] = {}
    for node in ast.walk(ast.parse(env.read_text("utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("configure"):
            for keyword in node.keywords:
                if keyword.arg in ("version_table", "version_table_schema"):
                    found[keyword.arg] = _literal(keyword, env)
    return found.get("version_table") or VERSION_TABLE, found.get("version_table_schema")


def _literal(keyword: ast.keyword, env: Path) -> str | None:
    if isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, str | None):
        return keyword.value.value
    raise CommandError(
        f"{env}: {keyword.arg} is {ast.unparse(keyword.value)}, which is only known when it runs.",
        "Write the name there as a string.",
    )
