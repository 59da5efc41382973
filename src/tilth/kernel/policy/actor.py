"""Who asks."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """One identity, however it signed in.

    id: None for nobody in particular (anonymous).
    roles: names granted to this identity.
    scopes: what the credential is limited to; None means not limited.
    tenant: the tenant this request works in.
    method: how it signed in ("anonymous", "bearer", "session" …).
    assurance: 0 anonymous, 1 one factor, 2 two factors.
    """

    id: str | None = None
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] | None = None
    tenant: str | None = None
    method: str = "anonymous"
    assurance: int = 0

    @property
    def is_signed_in(self) -> bool:
        return self.id is not None


ANONYMOUS = Actor()
