"""Where an application's migrations are, found out without importing what runs them."""

from __future__ import annotations

from pathlib import Path

from tilth.cli.target import (
    Target,
    default_source,
    is_database_url,
    target_from,
    text_in_project,
)

USUAL = "migrations"


def root_and_folder(target: Target) -> tuple[Path, Path | None]:
    """folder: what pyproject.toml names under [tool.tilth]; None when it does not."""
    for root in dict.fromkeys((target.folder, Path.cwd())):
        named = text_in_project(root / "pyproject.toml", "tilth", "migrations")
        if named is not None:
            return root, root / named
    return target.folder, None


def has_migrations(target: Target) -> bool:
    """Whether a file of one may be there; whether it is one is for those who read it."""
    root, named = root_and_folder(target)
    folder = named or root / USUAL
    inis = (folder / "alembic.ini", root / "alembic.ini")
    return any(ini.is_file() for ini in inis) or any(folder.glob("*.py"))


def may_be_migrated(named: str | None) -> Target | None:
    """named: as for `application_for`. The application's target, where it may have migrations."""
    source = default_source() if named is None else named
    if is_database_url(source):
        return None
    target = target_from(source)
    return target if has_migrations(target) else None
