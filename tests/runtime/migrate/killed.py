"""Applies migrations for whoever writes to it, in a process for each run that kills itself where it is told.

Reads a line of JSON for each run: folder, url, target, and at: before which change of the database
(its statements that are no questions, and its commits, counted from 0). Answers a line with the exit code.
"""

import json
import os
import re
import signal
import sys
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import make_url

from tilth.runtime.migrate.applying import applied_up
from tilth.runtime.migrate.history import read_history
from tilth.runtime.migrate.project import Wanted, project_from
from tilth.settings import MigrateSettings

QUESTION = re.compile(r"\s*(SELECT|SHOW|PRAGMA|LOCK|SET|SAVEPOINT|RELEASE|ROLLBACK)\b", re.I)


def kill_before(number: int) -> None:
    changes = count()

    def change(*_: object) -> None:
        if next(changes) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def statement(_: object, __: object, said: str, *rest: object) -> None:
        if not QUESTION.match(said):
            change()

    event.listen(Engine, "before_cursor_execute", statement)
    event.listen(Engine, "commit", change)


def run(asked: Mapping[str, Any]) -> None:
    kill_before(asked["at"])
    project = project_from(
        Wanted(Path(asked["folder"])),
        make_url(asked["url"]),
        [],
        MigrateSettings(lock_seconds=0.2),
        is_production=False,
    )
    applied_up(
        project, read_history(project), asked["target"], say=lambda _: None, warn=lambda _: None
    )


def serve_runs() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            run(json.loads(line))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


serve_runs()
