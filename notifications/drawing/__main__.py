"""python -m notifications.drawing: read a picture as JSON from standard input, write its file to standard output."""

from __future__ import annotations

import json
import os
import sys
from io import BytesIO

from notifications.drawing import spec
from notifications.drawing.spec import Chart, Picture


def main() -> None:
    os.nice(5)  # whoever trades goes first
    picture, format = spec.read(json.load(sys.stdin))
    sys.stdout.buffer.write(drawn(picture, format))


def drawn(picture: Picture, format: str) -> bytes:
    """Return the file: one picture, or for a report as pdf its tables too."""
    from notifications.drawing import chart, pages, report, style

    target = BytesIO()
    if isinstance(picture, Chart):
        style.save(chart.draw(picture), target, format)
    elif format == "pdf":
        from matplotlib.backends.backend_pdf import PdfPages

        with PdfPages(target, metadata={"CreationDate": None, "Title": picture.title}) as document:
            for page in (report.draw(picture), *pages.draw(picture)):
                document.savefig(page, facecolor=style.GROUND)
    else:
        style.save(report.draw(picture), target, format)
    return target.getvalue()


if __name__ == "__main__":
    main()
