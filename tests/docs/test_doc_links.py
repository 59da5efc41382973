"""Links between documents lead somewhere: to a file, and to a heading in it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md", "changes/*.md")
    for page in ROOT.glob(pattern)
)
LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ +(.*?) *$", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    targets = LINK.findall(CODE.sub("", page.read_text(encoding="utf-8")))

    assert [target for target in targets if not _leads_somewhere(page, target)] == []


def test_every_page_of_docs_can_be_reached_from_its_index() -> None:
    reached, waiting = set[Path](), [ROOT / "docs/index.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            waiting += _pages_linked_from(page)

    assert {
        str(p.relative_to(ROOT)) for p in PAGES if ROOT / "docs" in p.parents and p not in reached
    } == set()


def _pages_linked_from(page: Path) -> list[Path]:
    targets = LINK.findall(CODE.sub("", page.read_text(encoding="utf-8")))
    paths = [(page.parent / target.partition("#")[0]).resolve() for target in targets]
    return [path for path in paths if path.is_file()]


def _leads_somewhere(page: Path, target: str) -> bool:
    """Other sites are not asked: documents are checked without a network."""
    if re.match(r"[a-z]+:", target):
        return True
    path, _, heading = target.partition("#")
    file = page.parent / path if path else page
    return file.exists() and (not heading or heading in _headings(file))


def _headings(page: Path) -> set[str]:
    """Headings as addresses: lower case, words joined by hyphens, other signs left out."""
    text = re.sub(
        r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in HEADING.findall(text)}
