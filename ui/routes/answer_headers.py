"""The headers that caches, other sites' pages and resumed downloads go by, on every answer.

Around all of Gradio's own layers, because it is those that leave them out.
"""

from __future__ import annotations

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PUBLIC = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
"""Of an answer that any site may read and show."""
PUBLIC_PATH = re.compile(r"/(avatar\.(png|webp|svg)|avatars\.zip)$")
PREFLIGHT = {
    **PUBLIC,
    "Access-Control-Allow-Methods": "GET, HEAD",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Max-Age": "86400",
    "Allow": "GET, HEAD, OPTIONS",
}
FOR_EVER = "public, max-age=31536000, immutable"
NAMED_BY_CONTENT = re.compile(r"/assets/[^/]*[-.][\w-]{8}\.\w+$")
"""Gradio's own scripts and styles."""
DEPENDS = ("Accept-Encoding",)
DEPENDS_UNLESS_PUBLIC = ("Origin",)
DEPENDS_IF_UNKEPT = ("X-Forwarded-Host", "X-Forwarded-Proto", "X-Gradio-Server")
"""Gradio compresses, says to whom it answers, and writes its own address into its pages."""


class AnswerHeaders:
    """ASGI middleware: says what an answer depends on, how long it is good, and who may have it.

    An answer that knows its ``ETag`` is not sent again to whoever has it already, HEAD is answered
    wherever GET is but below ``/gradio_api/``, and any site is told that it may ask for a picture.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and the answer with its headers."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["method"] == "OPTIONS" and PUBLIC_PATH.search(scope["path"]):
            await Response(status_code=204, headers=PREFLIGHT)(scope, receive, send)
            return
        asked, safe, unchanged = Headers(scope=scope), scope["method"] in ("GET", "HEAD"), False

        async def answer(message: Message) -> None:
            nonlocal unchanged
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                _complete(headers, message["status"], scope["path"])
                unchanged = safe and message["status"] in (200, 206) and _known(asked, headers)
                if unchanged:
                    message["status"] = 304
                    for name in ("Length", "Type", "Encoding", "Range"):
                        del headers[f"Content-{name}"]
            elif unchanged:
                if message.get("more_body"):
                    return
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        await self.app(_readable(scope), receive, answer)


def _complete(headers: MutableHeaders, status: int, path: str) -> None:
    """Add what is missing, and correct what says less than it should."""
    depends = [name.strip() for name in headers.get("Vary", "").split(",") if name.strip()]
    headers.setdefault("X-Content-Type-Options", "nosniff")
    if status >= 400:
        headers["Cache-Control"] = "no-store"
    elif NAMED_BY_CONTENT.search(path):
        headers["Cache-Control"] = FOR_EVER
    elif "Cache-Control" not in headers:
        headers["Cache-Control"] = "private, no-cache"
        if not any(name in headers for name in ("ETag", "Last-Modified")):
            depends += DEPENDS_IF_UNKEPT
    if "Cross-Origin-Resource-Policy" in headers:
        headers.update(PUBLIC)  # Gradio has put a single site in
        del headers["Access-Control-Allow-Credentials"]
        depends = [name for name in depends if name not in DEPENDS_UNLESS_PUBLIC]
    else:
        depends += DEPENDS_UNLESS_PUBLIC
    headers["Vary"] = ", ".join(dict.fromkeys((*DEPENDS, *depends)))
    if "Content-Encoding" in headers and headers.get("ETag", "").startswith('"'):
        headers["ETag"] = f"W/{headers['ETag']}"  # the same to read, and not the same bytes


def _known(asked: Headers, headers: Headers) -> bool:
    """Whether the browser has this very answer (RFC 9110, 13.1.2)."""
    etag = headers.get("ETag", "").removeprefix("W/")
    given = ",".join(asked.getlist("If-None-Match"))
    tags = [tag.strip().removeprefix("W/") for tag in given.split(",")]
    return bool(etag) and (etag in tags or tags == ["*"])


def _is_range(value: bytes) -> bool:
    spans = [span.strip() for span in value.lower().removeprefix(b"bytes=").split(b",")]
    ends = [re.fullmatch(rb"(\d*)-(\d*)", span) for span in spans]
    return value.lower().startswith(b"bytes=") and all(
        end and (end[1] or end[2]) and not (end[1] and end[2] and int(end[1]) > int(end[2]))
        for end in ends
    )


def _readable(scope: Scope) -> Scope:
    """The request as Gradio answers it right.

    To a HEAD it mostly says that only GET is allowed; what is not for HEAD are its streams, which
    never end. And its own way to send a part of a file sends the request's headers back, cookies
    included; written in capitals, the unit is left to Starlette. A part is not compressed: it would
    be a part of something else. What is no range is none (RFC 9110, 14.2).
    """
    headers = []
    part = any(name == b"range" and _is_range(value) for name, value in scope["headers"])
    for name, value in scope["headers"]:
        if name == b"range":
            if part:
                headers.append((name, b"Bytes=" + value[6:]))
        elif not (part and name == b"accept-encoding"):
            headers.append((name, value))
    streams = "/gradio_api/" in scope["path"]
    method = "GET" if scope["method"] == "HEAD" and not streams else scope["method"]
    return {**scope, "headers": headers, "method": method}
