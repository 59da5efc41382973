"""Every battery has the same shape: a folder that holds only the names everybody knows."""

from pathlib import Path

VOCABULARY = frozenset(
    {
        *("feature", "settings", "models", "port", "adapters", "service", "routes", "pages"),
        *("subscribers", "jobs", "commands", "checks", "templates", "static", "__init__"),
    }
)


def test_feature_folders_hold_only_known_names(root: Path) -> None:
    names = {
        f"{folder.name}/{entry.name}"
        for folder in _features(root)
        for entry in folder.iterdir()
        if entry.name != "__pycache__" and entry.stem not in VOCABULARY
    }

    assert names == set()


def test_every_feature_folder_has_its_record(root: Path) -> None:
    assert [f.name for f in _features(root) if not (f / "feature.py").is_file()] == []


def _features(root: Path) -> list[Path]:
    entries = (root / "src/tilth/features").iterdir()
    folders = [entry for entry in entries if entry.is_dir() and any(entry.rglob("*.py"))]
    assert folders
    return folders
