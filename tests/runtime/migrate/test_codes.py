"""Each code that an operation is told by: told where it applies, and not where the calm way is taken.

One case for each name in RiskCode; a code that has none fails here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table
from tests.runtime.migrate.conftest import Tried, Trying

from tilth.errors import Finding, SetupError
from tilth.runtime.migrate.codes import HistoryCode, RiskCode

Database = Literal["sqlite", "postgresql"]
BOTH: tuple[Database, ...] = ("sqlite", "postgresql")
POSTGRESQL: tuple[Database, ...] = ("postgresql",)

SMALL = (
    "CREATE TABLE team (id INTEGER PRIMARY KEY, name VARCHAR(40), size INTEGER, code VARCHAR(9))",
    "CREATE TABLE hero (id INTEGER PRIMARY KEY, team_id INTEGER, title VARCHAR(40))",
    "CREATE INDEX ix_hero_title ON hero (title, id)",
    "CREATE INDEX ix_team_size ON team (size)",
    "INSERT INTO team VALUES (1, 'Ana', 5, 'a'), (2, 'Bob', 5, 'b'), (3, NULL, 9, 'c')",
    "INSERT INTO hero VALUES (1, 1, 'first'), (2, 7, 'lost')",
)
# Tables with more rows than are read or rewritten while others wait.
BIG = (
    "CREATE TYPE mood AS ENUM ('a', 'b')",
    "CREATE TABLE big (id INTEGER PRIMARY KEY, name VARCHAR(40), size INTEGER, team_id INTEGER,"
    " CONSTRAINT filled CHECK (name IS NOT NULL))",
    "CREATE TABLE loose (id INTEGER NOT NULL, size INTEGER)",
    "INSERT INTO big SELECT n, 'x', n, 1 FROM generate_series(1, 10001) AS n",
    "INSERT INTO loose SELECT n, n FROM generate_series(1, 10001) AS n",
    "CREATE INDEX ix_big_size ON big (size)",
    "CREATE UNIQUE INDEX ix_loose_id ON loose (id)",
    "ALTER TABLE big ADD CONSTRAINT trusted CHECK (size > 0) NOT VALID",
)


@dataclass(frozen=True, slots=True)
class Case:
    """told: operations that the code is told for. calm: those that do the same without it."""

    told: str
    calm: str
    databases: tuple[Database, ...] = BOTH


def outside(line: str) -> str:
    return f"with op.get_context().autocommit_block():\n    {line}"


LONG = "a" * 64
CASES: dict[RiskCode, Case] = {
    "drop_column": Case("op.drop_column('team', 'name')", "op.add_column('hero', sa.Column('n', sa.Integer))\nop.drop_column('hero', 'n')"),
    "drop_table": Case("op.drop_table('team')", "op.create_table('t', sa.Column('id', sa.Integer, primary_key=True))\nop.drop_table('t')"),
    "required_column": Case(
        "op.add_column('team', sa.Column('age', sa.Integer, nullable=False))",
        "op.add_column('team', sa.Column('age', sa.Integer, nullable=False, server_default='1'))",
    ),
    "null_values": Case(
        "op.alter_column('team', 'name', existing_type=sa.String(40), nullable=False)",
        "op.alter_column('team', 'size', existing_type=sa.Integer(), nullable=False)",
    ),
    "narrowing": Case("op.alter_column('team', 'name', type_=sa.String(2))", "op.alter_column('team', 'name', type_=sa.String(3))"),
    "duplicates": Case("op.create_unique_constraint('uq', 'team', ['size'])", "op.create_unique_constraint('uq', 'team', ['code'])"),
    "orphans": Case(
        "op.create_foreign_key('fk', 'hero', 'team', ['team_id'], ['id'])",
        "op.execute('DELETE FROM hero WHERE team_id = 7')\nop.create_foreign_key('fk', 'hero', 'team', ['team_id'], ['id'])",
    ),
    "violations": Case("op.create_check_constraint('ck', 'team', 'size > 5')", "op.create_check_constraint('ck', 'team', 'size > 4')"),
    "index_locks": Case(
        "op.create_index('ix', 'big', ['name'])",
        outside("op.create_index('ix', 'big', ['name'], postgresql_concurrently=True)"),
        POSTGRESQL,
    ),
    "drop_index_locks": Case(
        "op.drop_index('ix_big_size', 'big')",
        outside("op.drop_index('ix_big_size', 'big', postgresql_concurrently=True)"),
        POSTGRESQL,
    ),
    "concurrent_in_transaction": Case(
        "op.create_index('ix', 'team', ['name'], postgresql_concurrently=True)",
        outside("op.create_index('ix', 'team', ['name'], postgresql_concurrently=True)"),
        POSTGRESQL,
    ),
    "type_rewrite": Case(
        "op.alter_column('big', 'size', type_=sa.BigInteger())",
        "op.alter_column('big', 'name', type_=sa.String(80))",
        POSTGRESQL,
    ),
    "stored_column": Case(
        "op.add_column('big', sa.Column('n', sa.Integer, sa.Computed('size * 2', persisted=True)))",
        "op.add_column('big', sa.Column('n', sa.Integer, sa.Computed('size * 2', persisted=False)))",
        POSTGRESQL,
    ),
    "counting_column": Case(
        "op.add_column('big', sa.Column('n', sa.Integer, sa.Identity()))",
        "op.add_column('big', sa.Column('n', sa.Integer))",
        POSTGRESQL,
    ),
    "volatile_default": Case(
        "op.add_column('big', sa.Column('n', sa.Uuid, server_default=sa.text('gen_random_uuid()')))",
        "op.add_column('big', sa.Column('n', sa.DateTime(True), server_default=sa.func.now()))",
        POSTGRESQL,
    ),
    "check_scan": Case(
        "op.create_check_constraint('ck', 'big', 'size > -1')",
        "op.create_check_constraint('ck', 'big', 'size > -1', postgresql_not_valid=True)",
        POSTGRESQL,
    ),
    "foreign_key_scan": Case(
        "op.create_foreign_key('fk', 'big', 'team', ['team_id'], ['id'])",
        "op.create_foreign_key('fk', 'big', 'team', ['team_id'], ['id'], postgresql_not_valid=True)",
        POSTGRESQL,
    ),
    "not_null_scan": Case(
        "op.alter_column('big', 'size', nullable=False)",
        "op.alter_column('big', 'name', nullable=False)",
        POSTGRESQL,
    ),
    "validate_at_once": Case(
        "op.create_check_constraint('ck', 'big', 'size > 0', postgresql_not_valid=True)\n"
        "op.execute('ALTER TABLE big VALIDATE CONSTRAINT ck')",
        "op.execute('ALTER TABLE big VALIDATE CONSTRAINT trusted')",
        POSTGRESQL,
    ),
    "primary_key_locks": Case(
        "op.create_primary_key('pk', 'loose', ['id'])",
        "op.execute('ALTER TABLE loose ADD CONSTRAINT pk PRIMARY KEY USING INDEX ix_loose_id')",
        POSTGRESQL,
    ),
    "unique_locks": Case(
        "op.create_unique_constraint('uq', 'loose', ['id'])",
        "op.execute('ALTER TABLE loose ADD CONSTRAINT uq UNIQUE USING INDEX ix_loose_id')",
        POSTGRESQL,
    ),
    "exclusion_locks": Case(
        "op.create_exclude_constraint('ex', 'big', ('id', '='), using='btree')",
        "op.create_exclude_constraint('ex', 'team', ('id', '='), using='btree')",
        POSTGRESQL,
    ),
    "several_locks": Case(
        "for name in ('big', 'loose'):\n    op.add_column(name, sa.Column('n', sa.Integer))",
        "for name in ('n', 'm'):\n    op.add_column('big', sa.Column(name, sa.Integer))",
        POSTGRESQL,
    ),
    "unbatched_change": Case("op.execute('UPDATE big SET size = 1')", "backfill('big', 'size', '1', where='size > 9000')", POSTGRESQL),
    "cascade": Case("op.execute('DROP TABLE team CASCADE')", "op.execute('DROP INDEX ix_team_size')", POSTGRESQL),
    "truncate": Case("op.execute('TRUNCATE team')", "op.execute('DELETE FROM team WHERE id = 3')", POSTGRESQL),
    "enum_rename": Case(
        'op.execute("ALTER TYPE mood RENAME VALUE \'a\' TO \'c\'")',
        'op.execute("ALTER TYPE mood ADD VALUE \'c\' AFTER \'a\'")',
        POSTGRESQL,
    ),
    "enum_order": Case(
        'op.execute("ALTER TYPE mood ADD VALUE \'c\'")',
        'op.execute("ALTER TYPE mood ADD VALUE \'c\' BEFORE \'a\'")',
        POSTGRESQL,
    ),
    "unknown_statement": Case("op.execute('REINDEX TABLE team' if op.get_bind().dialect.name != 'sqlite' else 'REINDEX team')", "op.execute('SELECT 1')"),
    "rename_table": Case("op.rename_table('team', 'crew')", "pass"),
    "rename_column": Case("op.alter_column('team', 'name', new_column_name='title')", "pass"),
    "type": Case(
        "op.add_column('team', sa.Column('at', sa.DateTime))",
        "op.add_column('team', sa.Column('at', sa.DateTime(timezone=True)))",
        POSTGRESQL,
    ),
    "wide_index": Case(
        "op.create_index('ix', 'team', ['name', 'code', 'id', 'size'])",
        "op.create_index('ix', 'team', ['name', 'code', 'id'])",
    ),
    "same_index": Case("op.create_index('ix', 'hero', ['title'])", "op.create_index('ix', 'team', ['name'])"),
    "unindexed_key": Case(
        "op.execute('DELETE FROM hero')\nop.create_foreign_key('fk', 'hero', 'team', ['team_id'], ['id'])",
        "op.execute('DELETE FROM team')\nop.create_foreign_key('fk', 'team', 'hero', ['id'], ['id'])",
    ),
    "key_types": Case(
        "op.add_column('hero', sa.Column('wide', sa.BigInteger))\n"
        "op.create_foreign_key('fk', 'hero', 'team', ['wide'], ['id'])",
        "op.add_column('hero', sa.Column('wide', sa.Integer))\n"
        "op.create_foreign_key('fk', 'hero', 'team', ['wide'], ['id'])",
    ),
    "long_name": Case(f"op.create_index({LONG!r}, 'team', ['name'])", f"op.create_index({LONG[1:]!r}, 'team', ['name'])", POSTGRESQL),
}  # fmt: skip

ON_EACH = [
    pytest.param(code, f"{database}_url", id=f"{code}-{database}")
    for code in get_args(RiskCode)
    for database in (CASES[code].databases if code in CASES else BOTH)
]


@pytest.mark.parametrize("way", ["told", "calm"])
@pytest.mark.parametrize(("code", "url"), ON_EACH)
def test_a_code_is_told_where_it_applies_and_nowhere_else(
    code: RiskCode, url: str, way: str, request: pytest.FixtureRequest, trying: Trying
) -> None:
    address = request.getfixturevalue(url.replace("postgresql", "postgres"))
    tried = prepared(trying(address))
    case = CASES[code]
    tried.write(case.told if way == "told" else case.calm)

    told = codes_told(tried)

    assert (f"migrate.{code}" in told) == (way == "told"), told


def test_types_of_tables_of_tilth_are_not_remarked_on(postgres_url: str, trying: Trying) -> None:
    """SQLite has no such types."""
    tried = trying(postgres_url)
    tried.write(
        "for name in ('tilth_event', 'event'):\n"
        "    op.create_table(name, sa.Column('id', sa.Integer, primary_key=True),"
        " sa.Column('body', sa.JSON))"
    )

    tried.up()

    told = [each.subject for each in tried.warnings if each.code == "migrate.type"]
    assert told == ["event.body"]


@pytest.mark.parametrize("code", get_args(RiskCode) + get_args(HistoryCode))
def test_every_code_is_explained(code: str) -> None:
    page = Path(__file__).parents[3] / "docs" / "errors" / "migrate.md"

    assert f"`{code}`" in page.read_text("utf-8")


NARROWED = [
    ("NUMERIC(5, 2)", "99.96", "sa.Numeric(3, 1)", "sa.Numeric(4, 1)"),
    ("BIGINT", "2147483648", "sa.Integer()", "sa.BigInteger()"),
    ("INTEGER", "-32769", "sa.SmallInteger()", "sa.Integer()"),
]


@pytest.mark.parametrize(("type_", "value", "narrow", "wide"), NARROWED)
def test_numbers_that_do_not_fit_are_counted_before_the_server_meets_them(
    postgres_url: str, trying: Trying, type_: str, value: str, narrow: str, wide: str
) -> None:
    tried = trying(postgres_url)
    tried.run(f"CREATE TABLE t (n {type_})", f"INSERT INTO t VALUES ({value})")
    path = tried.write(f"op.alter_column('t', 'n', type_={narrow})")

    with pytest.raises(SetupError, match=r"narrowing.*t.n: has 1 value"):
        tried.up()
    path.write_text(path.read_text("utf-8").replace(narrow, wide), "utf-8")

    assert len(tried.up()) == 1


@pytest.mark.parametrize("name", ["back\\slash", "co:lon", "per%cent", 'quo"te', "it's", "a\\:b"])
def test_values_are_counted_whatever_their_column_is_called(
    database_url: str, trying: Trying, name: str
) -> None:
    key = Column("id", Integer, primary_key=True)
    metadata = MetaData()
    Table("t", metadata, key, Column(name, String(40)))
    tried = trying(database_url, metadata)
    tried.new()
    tried.up()
    tried.run("INSERT INTO t VALUES (1, 'too long for three')")
    tried.write(f"op.alter_column('t', {name!r}, type_=sa.String(3))")

    with pytest.raises(SetupError, match=r"migrate.narrowing.*has 1 value"):
        tried.up()


def prepared(tried: Tried) -> Tried:
    is_sqlite = tried.project.url.drivername == "sqlite"
    tried.run(*SMALL, *(() if is_sqlite else BIG))
    return tried


def codes_told(tried: Tried) -> set[str]:
    """Of warnings, and of what was refused."""
    refused: tuple[Finding, ...] = ()
    try:
        tried.up()
    except SetupError as error:
        refused = error.findings
    return {each.code for each in (*tried.warnings, *refused)}
