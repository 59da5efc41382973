"""Who is compared: how each peer is installed and started."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

BENCH = Path(__file__).parent.parent
ENVIRONMENTS = BENCH / ".envs"

Command = tuple[str, ...]
UVICORN: Command = ("uvicorn", "app:app", "--log-level", "warning", "--no-access-log", "--port")
# One process as for the others; threads, since only they keep connections alive.
GUNICORN: Command = (
    *("gunicorn", "app:app", "--workers", "1", "--threads", "8", "--keep-alive", "60"),
    *("--log-level", "warning", "--bind"),
)


@dataclass(frozen=True, slots=True)
class Peer:
    """folder: in bench/peers, of its code and its requirements.lock. command: ends before the port.

    own: it has an environment of its own; otherwise it runs in Tilth's. probe: answered once it serves.
    """

    name: str
    folder: str
    command: Command
    own: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)
    probe: str = "/api/heroes/1"

    @property
    def place(self) -> Path:
        return BENCH / "peers" / self.folder

    @property
    def programs(self) -> Path:
        return ENVIRONMENTS / self.folder / "bin" if self.own else Path(sys.executable).parent


def _django(apps: str) -> dict[str, str]:
    return {
        "PYTHONPATH": str(BENCH / "peers" / "django_league"),
        "DJANGO_SETTINGS_MODULE": "league.settings",
        "BENCH_URLS": "app",
        "BENCH_APPS": apps,
    }


TILTH = Peer("Tilth", "tilth", ("tilth", "serve", "app.py", "--port"), own=False)
FLOOR = Peer("floor", "floor", UVICORN, own=False)
PEERS = (
    TILTH,
    FLOOR,
    Peer("FastAPI + SQLModel", "fastapi_sqlmodel", UVICORN),
    Peer("Litestar + Advanced Alchemy", "litestar_alchemy", UVICORN),
    Peer("Flask + SQLAlchemy", "flask_sqlalchemy", GUNICORN),
    Peer("Django REST framework", "django_rest", GUNICORN,
         environment=_django("rest_framework,django_filters")),
    Peer("django-ninja", "django_ninja", GUNICORN, environment=_django("")),
)  # fmt: skip


def install(peer: Peer) -> None:
    """Once, and again when its lock changes."""
    lock, home = peer.place / "requirements.lock", ENVIRONMENTS / peer.folder
    ready = home / ".ready"
    if not peer.own or (ready.exists() and ready.read_text() == lock.read_text()):
        return
    print(f"Installing {peer.name}", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
    subprocess.run(
        [home / "bin" / "python", "-m", "pip", "install", "--quiet",
         "--disable-pip-version-check", "--require-hashes", "-r", lock],
        check=True,
    )  # fmt: skip
    ready.write_text(lock.read_text())
