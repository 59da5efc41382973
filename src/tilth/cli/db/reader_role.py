"""A role of PostgreSQL for tools that read: psql, pgAdmin, Superset, Grafana, pandas."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.engine import URL

from tilth.cli.db.place import Place, place_of
from tilth.cli.talk import counted, print_document, say, stdout
from tilth.errors import CommandError
from tilth.kernel.store.reporting.role import make_reader
from tilth.kernel.store.reporting.views import View, views_of
from tilth.kit.text import sentence_list


def reader_role(
    named: str | None,
    role: str,
    place: str,
    shown: Sequence[str],
    *,
    as_sql: bool,
    as_json: bool,
) -> None:
    """Raises CommandError, and nothing is made."""
    where = place_of(named)
    views = _views(where, shown)
    reader = make_reader(where.url, role, place, views, rehearsing=as_sql)
    if as_sql:
        stdout().out(";\n".join(reader.statements) + ";", highlight=False)
    else:
        _tell(where.url, role, reader.password, place, views, as_json=as_json)


def _views(where: Place, shown: Sequence[str]) -> list[View]:
    if where.file:
        raise CommandError(
            "SQLite has no roles.",
            "`tilth db shell --read-only` reads; `tilth db backup` makes a copy to give away.",
        )
    if where.app is None:
        raise CommandError(
            "A database alone says of no column whom it is for.",
            "Name the application: --app FILE[:app]",
        )
    backend = where.app.freeze()
    return views_of(backend.schema, backend.rulebook, backend.store.database.dialect, shown)


def _tell(
    url: URL, role: str, password: str | None, place: str, views: Sequence[View], *, as_json: bool
) -> None:
    address = url.set(drivername="postgresql", username=role, password=password, query={})
    written = address.render_as_string(hide_password=False)
    left_out = [name for view in views for name in view.left_out]
    if as_json:
        print_document(
            {
                "url": written,
                "is_new": password is not None,
                "schema": place,
                "views": [view.name for view in views],
                "left_out": left_out,
            }
        )
        return
    stdout().print(written, soft_wrap=True, highlight=False)
    said = "with its password, which is shown once" if password else "which keeps its password"
    say(f"{role}, {said}, reads {counted(len(views), 'view')} in the schema {place}.")
    if left_out:
        say(f"Left out, as their policies hide them: {sentence_list(left_out)}.")
