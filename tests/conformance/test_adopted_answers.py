"""Every endpoint of an adopted database answers what plain SQL on the same database says."""

import asyncio

import httpx
import pytest
from plain.asking import Asking, Report
from plain.checks import Bench, check_table
from plain.database import opened
from plain.tables import tables_of

from tilth.adoption import adopt


async def compared(url: str) -> Report:
    app, report, database = adopt(url), Report(), opened(url)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://adopted") as client:
        tables = tables_of(app)
        bench = Bench(database, tables, Asking(client, report), rows_to_the_end=20_000)
        for table in tables.values():
            await check_table(bench, table)
    await app.freeze().store.database.close()
    database.close()
    return report


# SQLAlchemy 2.1 deprecates what its own MONEY does.
@pytest.mark.filterwarnings("ignore:Type object .*MONEY.*:DeprecationWarning")
def test_every_answer_equals_plain_sql(nasty_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    report = asyncio.run(compared(nasty_url))

    assert report.failed == 0, capsys.readouterr().out
    assert report.passed > 1000
