"""Model → where its source is, as far as that can be known."""

import inspect
from pathlib import Path


def place_of(model: type) -> str | None:
    """ "models.py:12", relative to the working directory when below it; None for generated classes."""
    try:
        path = Path(inspect.getsourcefile(model) or "")
        _, line = inspect.getsourcelines(model)
    except (OSError, TypeError, IndexError):
        return None
    try:
        path = path.resolve().relative_to(Path.cwd())
    except ValueError:
        pass
    return f"{path}:{line}"
