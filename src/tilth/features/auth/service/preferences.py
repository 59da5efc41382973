"""What somebody prefers: how large text is on the pages, and which language they read."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal, get_args
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tilth.errors import Fault, invalid
from tilth.features.auth.models.tables import USERS
from tilth.features.auth.models.users import account_by_id, change
from tilth.features.auth.service.accounts import Accounts
from tilth.kit.text import sentence_list

TextSize = Literal["normal", "large", "larger"]
TEXT_SIZES: tuple[TextSize, ...] = get_args(TextSize)


@dataclass(frozen=True, slots=True)
class Preferences:
    """language: a BCP 47 tag, None for that of the application."""

    text_size: TextSize = "normal"
    language: str | None = None


def preferences_of(session: Session, user_id: UUID) -> Preferences:
    stored = session.scalar(select(USERS.c.preferences).where(USERS.c.id == user_id)) or {}
    return Preferences(text_size_from(stored.get("text_size")), stored.get("language"))


def text_size_from(text: object) -> TextSize:
    """The usual one for anything else."""
    return next((size for size in TEXT_SIZES if size == text), "normal")


async def prefer(
    accounts: Accounts, user_id: UUID, text_size: str, language: str | None
) -> Preferences:
    """What the application's own code keeps there stays. Raises Invalid."""
    wanted = _checked(accounts, text_size, language)

    def kept(session: Session, now: datetime) -> None:
        account_by_id(session, user_id, lock=True)
        stored = session.scalar(select(USERS.c.preferences).where(USERS.c.id == user_id)) or {}
        change(session, user_id, {"preferences": {**stored, **asdict(wanted)}})

    await accounts.run(kept)
    return wanted


def _checked(accounts: Accounts, text_size: str, language: str | None) -> Preferences:
    languages = accounts.options.languages
    faults = []
    if text_size not in TEXT_SIZES:
        detail = f"Text is {sentence_list(TEXT_SIZES)}."
        faults.append(Fault("/text_size", "unknown_text_size", detail))
    if language is not None and language not in languages:
        detail = f"There is {sentence_list(languages)}."
        faults.append(Fault("/language", "unknown_language", detail))
    if faults:
        raise invalid(faults)
    return Preferences(text_size_from(text_size), language)
