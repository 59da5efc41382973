"""Without the library that passkeys need, the application says so instead of starting."""

import subprocess
import sys

WITHOUT_LIBRARY = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "fido2":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())

from tilth import Auth, Tilth
from tilth.errors import SetupError
from tilth.settings import Settings

for passkeys in (False, True):
    settings = Settings(environment="development")
    app = Tilth("sqlite://", auth=Auth(passkeys=passkeys), settings=settings)
    try:
        print(sorted(app.freeze().states))
    except SetupError as refused:
        print(refused)
"""


def test_a_missing_library_is_named_with_its_remedy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_LIBRARY], capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert "'auth'" in first
    assert second.startswith("error[auth.passkeys]")
    assert "pip install 'tilth[passkeys]'" in second
