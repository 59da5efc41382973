"""A text → a QR code as SVG that stands in a page: no script, no style, no other address."""

from __future__ import annotations

from typing import Any

QUIET_ZONE = 4
"""Empty modules around it, as ISO/IEC 18004 section 6.3.8 asks for."""


def qr_svg(text: str, label: str) -> str:
    """Black on white whatever the colours of the page: readers want it so. label: what it is for."""
    # Its import is what the first code waits for, and not every start.
    import segno

    code: Any = segno.make_qr(text, error="m")
    svg: str = code.svg_inline(
        border=QUIET_ZONE,
        dark="#000",
        light="#fff",
        title=label,
        svgclass="qr",
        lineclass=None,
        omitsize=True,
    )
    # Its title is then read out as the text of a picture.
    return svg.replace("<svg ", '<svg role="img" ', 1)
