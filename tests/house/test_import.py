"""What `import tilth` costs and needs; how long it takes is measured in bench/startup.py."""

import json
import subprocess
import sys
from pathlib import Path

EXTRAS = ("asyncpg", "psycopg", "sqlmodel", "sqlacodegen", "rich", "typer", "alembic", "fido2")
SIGNING_IN = ("argon2", "bcrypt", "cryptography", "joserfc", "segno")
DESCRIBING = ("jinja2", "tilth.features.api.service.openapi.document")
LATER = (
    *(*EXTRAS, *DESCRIBING, *SIGNING_IN),
    *("uvicorn", "watchfiles", "httpx", "fastapi.testclient", "pytest"),
)

WITHOUT_EXTRAS = f"""
import json, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {EXTRAS!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())

from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from tilth import Policy, Tilth, public

class Base(DeclarativeBase):
    pass

class Hero(Base):
    __tablename__ = "hero"
    id: Mapped[int] = mapped_column(primary_key=True)

app = Tilth("sqlite:///heroes.db")
app.expose(Hero, Policy(read=public))
print(json.dumps([str(finding) for finding in app.check()]))
"""

LOADED = f"""
import json, sys
import tilth
print(json.dumps([name for name in {LATER!r} if name in sys.modules]))
"""

TOUCHED = """
import json, sys
touched = []
watched = ("sqlite3.connect", "socket.connect", "socket.bind", "subprocess.Popen", "os.mkdir")
sys.addaudithook(lambda event, args: touched.append(event) if event in watched else None)
import tilth
print(json.dumps(touched))
"""


def test_an_application_works_with_no_extras_installed(tmp_path: Path) -> None:
    assert _printed(WITHOUT_EXTRAS, tmp_path) == []


def test_import_leaves_for_later_what_only_some_need(tmp_path: Path) -> None:
    assert _printed(LOADED, tmp_path) == []


def test_import_touches_no_database_network_or_process(tmp_path: Path) -> None:
    assert _printed(TOUCHED, tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def _printed(program: str, folder: Path) -> object:
    """What a fresh interpreter prints, as JSON."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
