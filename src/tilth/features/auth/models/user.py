"""The account as a mapped class: to be referred to and joined like any other model, not to be exposed."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import FromClause, inspect
from sqlalchemy.orm import Mapped, registry

from tilth.features.auth.models.tables import AUTH, USERS


class User:
    """One identity, however it signs in.

    Columns of your own belong in a model with a foreign key to `User.id`, or "tilth_user.id". To show
    who somebody is, map a class of your own to `User.__table__` (docs/how-to/members.md).
    """

    __table__: ClassVar[FromClause]
    id: Mapped[UUID]
    username: Mapped[str | None]
    username_key: Mapped[str | None]
    email: Mapped[str | None]
    email_key: Mapped[str | None]
    email_verified_at: Mapped[datetime | None]
    phone: Mapped[str | None]
    phone_key: Mapped[str | None]
    phone_verified_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]
    epoch: Mapped[int]
    preferences: Mapped[dict[str, Any] | None]

    @property
    def is_active(self) -> bool:
        return self.disabled_at is None

    def __repr__(self) -> str:
        return f"<User {inspect(self).identity}>"


registry(metadata=AUTH).map_imperatively(User, USERS)
