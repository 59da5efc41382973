"""Runs the command for whoever writes to it: imported once, and each run a process of its own.

Reads a line of JSON for each run: arguments, cwd, environment, and the files for out and err.
Answers a line with the exit code.
"""

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

# What the commands import when they are asked: done here, every run has it already.
import sqlmodel  # noqa: F401

from tilth.cli import check, dev, explain, model_file, models, openapi, serve, show  # noqa: F401
from tilth.cli.main import main


def become(asked: Mapping[str, Any]) -> None:
    """What a shell does between fork and exec."""
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(asked[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.argv = ["tilth", *asked["arguments"]]


def serve_runs() -> None:
    for line in sys.stdin:
        run = os.fork()
        if run == 0:
            become(json.loads(line))
            main()
        _, status = os.waitpid(run, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve_runs()
