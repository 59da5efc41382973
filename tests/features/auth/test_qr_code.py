"""QR codes: the text is in them, and nothing that a page must not have."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import segno

from tilth.features.auth.pages.qr_code import QUIET_ZONE, qr_svg

URI = (
    "otpauth://totp/Notes%3Abob%40example.org?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    "&issuer=Notes&algorithm=SHA1&digits=6&period=30"
)


def drawn(svg: str) -> set[tuple[int, int]]:
    """The dark modules, as column and row, from the horizontal lines of the drawing."""
    paths = [each for each in ElementTree.fromstring(svg).iter() if each.get("stroke") == "#000"]
    found = set()
    for path in paths:
        x, y = 0.0, 0.0
        for command, rest in re.findall(r"([Mmh])([^Mmh]*)", path.get("d") or ""):
            numbers = [float(each) for each in re.findall(r"-?[0-9.]+", rest)]
            if command == "h":
                found |= {(int(x + step), int(y)) for step in range(int(numbers[0]))}
                x += numbers[0]
            elif command == "M":
                x, y = numbers
            else:
                x, y = x + numbers[0], y + numbers[1]
    return found


def test_the_drawing_is_the_code_of_the_text() -> None:
    matrix = segno.make_qr(URI, error="m").matrix
    dark = {
        (x + QUIET_ZONE, y + QUIET_ZONE)
        for y, row in enumerate(matrix)
        for x, module in enumerate(row)
        if module
    }

    assert drawn(qr_svg(URI, "For an app")) == dark


def test_the_drawing_asks_for_nothing_that_the_page_forbids() -> None:
    svg = qr_svg(URI, "For <an> app")

    assert "JBSWY3DP" not in svg
    assert not re.search(r"style=|<style|<script|href|url\(", svg)
    assert "<title>For &lt;an&gt; app</title>" in svg
