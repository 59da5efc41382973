"""SIGKILL before every change of a migration of twelve steps: old or new, and the next run goes on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count, pairwise
from pathlib import Path

import psycopg
import pytest
from tests.runtime.migrate.conftest import Tried, Trying

from tilth.runtime.migrate.databases import scratch_engine
from tilth.runtime.migrate.shape import Shape

STEPS = (
    "op.create_table('team', sa.Column('id', sa.Integer, primary_key=True),"
    " sa.Column('name', sa.String(20)))",
    "op.create_table('hero', sa.Column('id', sa.Integer, primary_key=True),"
    " sa.Column('team_id', sa.Integer, sa.ForeignKey('team.id', ondelete='CASCADE', name='fk')))",
    "op.bulk_insert(sa.table('team', sa.column('id'), sa.column('name')),"
    " [{'id': n, 'name': f'{n}'} for n in range(5)])\n"
    "op.execute('INSERT INTO hero SELECT id, id FROM team')",
    "op.add_column('team', sa.Column('size', sa.Integer))",
    "with op.get_context().autocommit_block():\n"
    "    op.create_index('ix', 'team', ['size'], postgresql_concurrently=True, if_not_exists=True)",
    "backfill('team', 'size', '7', batch_rows=2, pause_seconds=0)",
    "op.alter_column('team', 'size', existing_type=sa.Integer(), nullable=False)\n"
    "op.create_check_constraint('ck', 'team', 'size > 5')",
    "op.create_unique_constraint('uq', 'team', ['name'])",
    "op.alter_column('team', 'name', type_=sa.String(80))\n"
    "op.drop_constraint('ck', 'team', type_='check')",
    "op.alter_column('team', 'name', new_column_name='title')",
    "op.rename_table('team', 'crew')",
    "with assured('nobody reads it'):\n"
    "    op.drop_index('ix', 'crew')\n    op.drop_column('crew', 'size')",
)
KILLED = -signal.SIGKILL
Runs = Callable[[Tried, str, int], int]


def with_steps(tried: Tried) -> Tried:
    for step in STEPS:
        tried.write(step)
    return tried


def whole_shapes(tried: Tried) -> Iterator[Shape]:
    """After each revision, in a database in which nothing is killed."""
    with scratch_engine(tried.project.url) as engine:
        url = engine.url.set(drivername=tried.project.url.drivername)
        other = replace(tried, project=replace(tried.project, url=url))
        for script in tried.history.scripts:
            other.up(script.revision)
            yield other.shape


@pytest.fixture(scope="module")
def runs() -> Iterator[Runs]:
    """runs(tried, target, at): exit code of a process that kills itself before its change number at."""
    process = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("killed.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def run(tried: Tried, target: str, at: int) -> int:
        url = tried.project.url.render_as_string(hide_password=False)
        asked = {"folder": str(tried.project.folder.parent), "url": url, "target": target, "at": at}
        print(json.dumps(asked), file=process.stdin, flush=True)
        assert process.stdout is not None
        return int(process.stdout.readline())

    with process:
        yield run


def test_a_run_that_is_killed_anywhere_leaves_old_or_new_and_the_next_goes_on(
    database_url: str, trying: Trying, runs: Runs
) -> None:
    tried = with_steps(trying(database_url))
    revisions = [each.revision for each in tried.history.scripts]
    shapes = [tried.shape, *whole_shapes(tried)]
    kills = []

    for (old, new), target in zip(pairwise(shapes), revisions, strict=True):
        for at in count():
            code = runs(tried, target, at)
            assert tried.shape in (old, new), (target, at)
            if code == 0:
                break
            assert code == KILLED
        kills.append(at)
        assert tried.shape == new

    assert min(kills) >= 3
    assert tried.rows("SELECT id, title FROM crew ORDER BY id") == [(n, f"{n}") for n in range(5)]
    assert tried.rows("SELECT id, team_id FROM hero ORDER BY id") == [(n, n) for n in range(5)]


# SQLite builds no index beside its writers.
def test_an_index_that_was_cut_off_is_built_anew(postgres_url: str, trying: Trying) -> None:
    tried = trying(postgres_url)
    tried.run("CREATE TABLE t (n INTEGER)", "INSERT INTO t VALUES (1), (1)")
    index = "CREATE UNIQUE INDEX CONCURRENTLY ix ON t (n)"
    with (
        psycopg.connect(postgres_url, autocommit=True) as connection,
        pytest.raises(psycopg.errors.UniqueViolation),
    ):
        connection.execute(index)
    tried.run("DELETE FROM t WHERE ctid = (SELECT min(ctid) FROM t)")
    made = "op.create_index('ix', 't', ['n'], unique=True, postgresql_concurrently=True, if_not_exists=True)"
    tried.write(f"with op.get_context().autocommit_block():\n    {made}")

    tried.up()

    assert tried.rows("SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix'::regclass") == [
        (True,)
    ]
