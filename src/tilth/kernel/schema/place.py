"""Model → where its source is, as far as that can be known."""

import inspect
from dataclasses import replace
from pathlib import Path

from tilth.errors import Finding


def place_of(model: type) -> str | None:
    """ "models.py:12", relative to the working directory if below it; None for generated classes."""
    try:
        path = Path(inspect.getsourcefile(model) or "").resolve()
        _, line = inspect.getsourcelines(model)
    except (OSError, TypeError):
        return None
    here = Path.cwd()
    return f"{path.relative_to(here) if path.is_relative_to(here) else path}:{line}"


def placed(finding: Finding, *places: str | None) -> Finding:
    """The finding with the first place that is known, if it has none yet."""
    return replace(finding, where=next(filter(None, (finding.where, *places)), None))
