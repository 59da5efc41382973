"""`tilth user import`: a file of accounts and hashes, read whole and kept only if all of it is right."""

from __future__ import annotations

from pathlib import Path

import typer

from tilth.cli.actor import USAGE
from tilth.cli.talk import counted, print_document, say
from tilth.cli.user import with_accounts
from tilth.errors import CommandError
from tilth.features.auth.service.accounts import Accounts
from tilth.features.auth.service.import_lines import lines_of_csv, lines_of_json
from tilth.features.auth.service.importing import Imported, import_accounts

READERS = {".csv": lines_of_csv, ".jsonl": lines_of_json, ".ndjson": lines_of_json}
TOLD = 20


def import_(named: str | None, file: Path, *, salt_last: bool, as_json: bool) -> None:
    """Exit code 1 when a line is refused: then nothing was kept."""
    read = READERS.get(file.suffix.lower())
    if read is None:
        hint = "Name it .csv, .jsonl or .ndjson."
        raise CommandError(f"{file.name} has no ending that says what is in it.", hint, USAGE)

    async def work(accounts: Accounts) -> Imported:
        cost = accounts.hashing.cost
        try:
            with file.open(encoding="utf-8-sig", newline="") as text:
                return await import_accounts(accounts, read(text, cost, salt_last=salt_last))
        except UnicodeDecodeError as exc:
            raise CommandError(f"{file} is not UTF-8.", "Convert it first.") from exc
        except OSError as exc:
            raise CommandError(f"{file} cannot be read: {exc.strerror}.") from exc

    _tell(with_accounts(named, work), as_json=as_json)


def _tell(found: Imported, *, as_json: bool) -> None:
    if as_json:
        lines = [{"line": each.number, "reason": each.reason} for each in found.refused]
        print_document({"imported": found.made, "refused": lines})
    for each in found.refused[:TOLD]:
        say(f"Line {each.number}: {each.reason}")
    if len(found.refused) > TOLD:
        say(f"… and {len(found.refused) - TOLD} more.")
    if found.refused:
        say(f"Nothing was imported: {counted(len(found.refused), 'mistake')}.")
        raise typer.Exit(1)
    say(f"{counted(found.made, 'account')} imported.")
