"""Opens a page as a browser would, and draws: ``python -m tests.reliability.visit_page MODEL``.

For who watches what the server says meanwhile; the environment is the server's too.
"""

from __future__ import annotations

import os
import re
import sys
import time

import httpx

from benchmarks.app_server import running_app
from tests.reliability.conftest import Site

SECONDS = float(os.environ.get("WATCH_SECONDS", "3"))
"""How long the page stays open: what says something may take its time."""


def main() -> None:
    """Visit a page of this model until it has answered everything."""
    with running_app(sys.argv[1]) as server, httpx.Client(timeout=60) as client:
        site = Site(server, client)
        parts = re.findall(r'(?:src|href)="\.?(/[^"]+)"', site.get("/").text)
        for path in [*parts, "/avatar.png?hair=3", "/health"]:
            site.get(path).raise_for_status()
        assert site.draw(hair=3, num_images=2)[0] == "complete"
        assert site.opened({}, None, None)
        time.sleep(SECONDS)


if __name__ == "__main__":
    main()
