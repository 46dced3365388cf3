"""The page's document: Gradio's, in the visitor's language, with a head of our own."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi.routing import APIRoute
from gradio.route_utils import get_root_url
from gradio.routes import App, toorjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from avatar_model import AvatarPipeline
from ui.html.link_preview import PAPER, link_preview
from ui.server.page_config import translated, words_of_scripts
from ui.translation import _, best_language, catalog, current, in_language

ICON = Path(__file__).with_name("icon.png")
"""``EXAMPLE`` of ``ui/html/link_preview.py``, drawn by the bundled model."""
MAX_KEPT = 32
"""Documents of 200 kB: one for every language, and every address by which the page is asked for."""
OF_GRADIO = re.compile(
    r'<meta\s[^>]*(?:property="og:|name="twitter:)[^>]*>\s*|<link rel="manifest"[^>]*>\s*'
)
"""About itself; and an address that is wrong wherever the page is not at the top of its host."""
HEAD = """<link rel="icon" type="image/png" href="favicon.ico">
<link rel="apple-touch-icon" href="favicon.ico">
<link rel="manifest" href="manifest.json">
"""
STYLE = Path(__file__).with_name("language.css").read_text(encoding="utf-8")
SCRIPT = "\n".join(
    Path(__file__).with_name(name).read_text(encoding="utf-8")
    for name in ("language.js", "kept.js")
)


def document_routes(gradio: App, pipeline: AvatarPipeline) -> list[Route]:
    """The page's document, its icon and its manifest, to go before Gradio's own."""
    write = next(r.endpoint for r in gradio.routes if isinstance(r, APIRoute) and r.path == "/")
    kept: dict[tuple[str, str], tuple[str, str]] = {}

    async def document(request: Request) -> Response:
        """The same for everybody of a language, but for the preview of the link."""
        code, root = _language(request), _root(gradio, request)
        if (code, root) not in kept:
            if len(kept) >= MAX_KEPT:
                kept.clear()
            kept[code, root] = await run_in_threadpool(_write, write, request, code, pipeline)
        before, after = kept[code, root]
        with in_language(code):
            preview = link_preview(pipeline, _public(root), request.url.query)
        return HTMLResponse(before + preview + after, headers=_headers(code))

    async def manifest(request: Request) -> Response:
        """What a telephone calls the page on its screen."""
        code = _language(request)
        with in_language(code):
            content = {
                "name": _("Avatar maker"),
                "lang": current().tag,
                "dir": current().direction,
                "icons": [{"src": "favicon.ico", "sizes": "192x192", "type": "image/png"}],
                "start_url": "./",
                "display": "standalone",
                "background_color": PAPER,
            }
        kind = "application/manifest+json"
        return JSONResponse(content, media_type=kind, headers=_headers(code))

    async def icon(request: Request) -> Response:
        """A picture of 192 pixels."""
        return FileResponse(ICON, media_type="image/png")

    return [
        Route("/", document),
        Route("/manifest.json", manifest),
        Route("/favicon.ico", icon),
    ]


def _write(
    write: Callable[..., Any], request: Request, code: str, pipeline: AvatarPipeline
) -> tuple[str, str]:
    """The document before and after the preview.

    Args:
        write: Gradio's, with its configuration as the context of its template.
    """
    answer = write(request, None)
    with in_language(code):
        blocks = request.app.get_blocks()
        config = translated(answer.context["config"], blocks, pipeline.vocabulary)
        words, language = toorjson(words_of_scripts([config, SCRIPT])), current()
    text = answer.template.render({**answer.context, "config": config})
    text = OF_GRADIO.sub("", text).replace(
        'lang="en"', f'lang="{language.tag}" dir="{language.direction}"', 1
    )
    before, style, after = text.partition("<style>")
    script = f"<script>{{ window.words = {words};\n{SCRIPT}}}</script>"
    return before, f"{HEAD}{script}<style>{STYLE}</style>{style}{after}"


def _language(request: Request) -> str:
    return best_language(",".join(request.headers.getlist("accept-language")))


def _headers(code: str) -> dict[str, str]:
    return {"Content-Language": catalog(code).tag, "Vary": "Accept-Language"}


def _root(gradio: App, request: Request) -> str:
    """The address of the page as Gradio finds it."""
    path = gradio.root_path or request.scope.get("root_path")
    return get_root_url(request, "/", path or gradio.get_blocks().custom_mount_path)


def _public(root: str) -> str:
    """The same for others: a Space's own may name one machine of several."""
    space = os.environ.get("SPACE_HOST", "").partition(",")[0]
    return f"https://{space}" if space else root
