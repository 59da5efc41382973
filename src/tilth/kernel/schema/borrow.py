"""Foreign keys that name Tilth's own tables as text, such as "tilth_user.id", are made to lead there."""

from collections.abc import Iterable

from sqlalchemy import MetaData
from sqlalchemy.exc import NoReferencedTableError
from sqlalchemy.sql.schema import Table


def lend_tables(models: Iterable[type], own: Iterable[MetaData]) -> None:
    """Adds to the metadata of models what they refer to and do not have.

    SQLAlchemy looks for a table that is named as text in the same metadata only. A foreign key that
    was given a column, such as `ForeignKey(User.id)`, needs nothing.
    """
    ours = {name: table for metadata in own for name, table in metadata.tables.items()}
    if not ours:
        return
    for borrower in {id(each): each for each in map(_metadata_of, models) if each}.values():
        for table in list(borrower.tables.values()):
            for name in _unresolved(table):
                if name in ours and name not in borrower.tables:
                    ours[name].to_metadata(borrower)


def _metadata_of(model: type) -> MetaData | None:
    table = getattr(model, "__table__", None)
    return table.metadata if isinstance(table, Table) else None


def _unresolved(table: Table) -> list[str]:
    names = []
    for key in table.foreign_keys:
        try:
            _ = key.column
        except NoReferencedTableError:
            names.append(key.target_fullname.rpartition(".")[0])
    return names
