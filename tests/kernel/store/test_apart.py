"""Tables in a rule's own queries get names of their own, each query its own."""

import pytest
from sqlalchemy import ColumnElement, exists, select
from tests.properties.world import Author, Book, Tag, labels

from tilth.kernel.schema.rewrite import plain
from tilth.kernel.store.objects.apart import apart

BOOKS = "book AS book_1, labels AS labels_1"
OF_TAG = "tag.id = labels_1.tag_id AND book_1.id = labels_1.book_id"

CASES: list[tuple[ColumnElement[bool], str]] = [
    (Tag.rank > 1, "tag.rank > 1"),
    (Tag.books.any(Book.rank > 1), f"EXISTS (SELECT 1 FROM {BOOKS} WHERE {OF_TAG} AND book_1.rank > 1)"),
    (
        Tag.books.any(Book.tags.any(Tag.rank > 1)),
        f"EXISTS (SELECT 1 FROM {BOOKS} WHERE {OF_TAG} AND (EXISTS (SELECT 1 "
        "FROM tag AS tag_1, labels AS labels_2 WHERE book_1.id = labels_2.book_id "
        "AND tag_1.id = labels_2.tag_id AND tag_1.rank > 1)))",
    ),
    (
        Tag.books.any(Book.author.has(Author.books.any())),
        f"EXISTS (SELECT 1 FROM {BOOKS} WHERE {OF_TAG} AND (EXISTS (SELECT 1 "
        "FROM author AS author_1 WHERE author_1.id = book_1.author_id AND (EXISTS (SELECT 1 "
        "FROM book AS book_2 WHERE author_1.id = book_2.author_id)))))",
    ),
    (
        exists(select(labels.c.tag_id).where(labels.c.tag_id == Tag.id)),
        "EXISTS (SELECT labels_1.tag_id FROM labels AS labels_1 WHERE labels_1.tag_id = tag.id)",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "sql"), CASES)
def test_a_rule_over_other_names(rule: ColumnElement[bool], sql: str) -> None:
    [table] = [Tag.__table__]
    asked = select(table.c.id).where(apart(plain(rule), [table]))

    compiled = asked.compile(compile_kwargs={"literal_binds": True})

    assert " ".join(str(compiled).split()) == f"SELECT tag.id FROM tag WHERE {sql}"
