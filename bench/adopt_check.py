"""Compare every endpoint of an adopted database with plain SQL on the same database.

    python bench/adopt_check.py sqlite:///shop.db
    python bench/adopt_check.py postgresql://user:password@host/database --full
    python bench/adopt_check.py sqlite:///shop.db --app http://127.0.0.1:8000 --token ...

The application runs inside this process unless --app names a running one over the same database.
Prints a line per table, the address and both answers of whatever differs, and at last
"N passed, N failed"; the exit code is 1 when anything failed.
"""

import argparse
import asyncio
import sys
import time
from contextlib import AsyncExitStack

import httpx
from plain.asking import Asking, Report
from plain.checks import Bench, check_table
from plain.database import opened
from plain.tables import Table, tables_of

from tilth.adoption import adopt

ROWS_TO_THE_END = 20_000


async def compare(arguments: argparse.Namespace) -> Report:
    app = adopt(arguments.url)
    report = Report()
    async with AsyncExitStack() as stack:
        headers = {"authorization": f"Bearer {arguments.token}"} if arguments.token else {}
        client = await stack.enter_async_context(
            httpx.AsyncClient(base_url=arguments.app, headers=headers, timeout=60)
            if arguments.app
            else httpx.AsyncClient(
                transport=httpx.ASGITransport(app=app, raise_app_exceptions=False),
                base_url="http://adopted",
            )
        )
        stack.push_async_callback(app.freeze().store.database.close)
        most = sys.maxsize if arguments.full else ROWS_TO_THE_END
        tables = tables_of(app)
        database = opened(arguments.url)
        stack.callback(database.close)
        bench = Bench(database, tables, Asking(client, report), most)
        for table in tables.values():
            await _told(bench, table, report)
    return report


async def _told(bench: Bench, table: Table, report: Report) -> None:
    passed, failed, began = report.passed, report.failed, time.perf_counter()
    await check_table(bench, table)
    seconds = time.perf_counter() - began
    print(
        f"{table.resource}: {report.passed - passed} passed, {report.failed - failed} failed"
        f" in {seconds:.1f} s",
        flush=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("url", help="sqlite:///… or postgresql://…")
    parser.add_argument("--app", help="address of a running application over the same database")
    parser.add_argument("--token", help="bearer token of that application")
    parser.add_argument("--full", action="store_true", help="no cap on the rows of a table")
    report = asyncio.run(compare(parser.parse_args()))
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
