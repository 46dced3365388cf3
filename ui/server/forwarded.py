"""Who asks, and for which address, when a proxy stands in between: believed only of named ones."""

from __future__ import annotations

import os
from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from starlette.types import ASGIApp, Receive, Scope, Send

PREFIXES = (b"x-forwarded-", b"x-real-", b"x-gradio-", b"forwarded")
ON_A_SPACE = "10.0.0.0/8"
"""Where the proxies of a Space are, which nobody reaches but through them."""


class Proxies:
    """The proxies that are believed.

    Args:
        names: addresses and networks, such as ``127.0.0.1`` or ``10.0.0.0/8``, or ``*`` for any,
            separated by commas.

    Raises:
        ValueError: what is neither; names it.
    """

    def __init__(self, names: str) -> None:
        given = [name.strip() for name in names.split(",") if name.strip()]
        self._any = "*" in given
        try:
            self._networks = [ip_network(name, strict=False) for name in given if name != "*"]
        except ValueError as error:
            raise ValueError(f"FORWARDED_ALLOW_IPS: {error}") from error

    @classmethod
    def of_environment(cls) -> Proxies:
        """Those of ``FORWARDED_ALLOW_IPS``, which is uvicorn's name for it; by default none."""
        default = ON_A_SPACE if "SPACE_ID" in os.environ else ""
        return cls(os.environ.get("FORWARDED_ALLOW_IPS", default))

    def __contains__(self, host: object) -> bool:
        try:
            address = ip_address(str(host))
        except ValueError:
            return False
        return self._any or any(address in network for network in self._networks)

    def client(self, hosts: Iterable[str]) -> str:
        """Whom a chain of proxies answers to, the last of them first: who is none of them."""
        host = ""
        for host in hosts:
            if host not in self or self._any:
                break
        return host


class Forwarded:
    """ASGI middleware: what a proxy forwards becomes the request's own; of others it is left out.

    So whoever looks at a request finds there who asks, and nobody can choose the address that the
    page takes for its own.
    """

    def __init__(self, app: ASGIApp, proxies: Proxies) -> None:
        self.app, self.proxies = app, proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "http":
            scope = self._believed(scope)
        await self.app(scope, receive, send)

    def _believed(self, scope: Scope) -> Scope:
        headers, peer = scope["headers"], scope.get("client")
        if peer is None or peer[0] not in self.proxies:
            kept = [h for h in headers if not h[0].startswith(PREFIXES)]
            return {**scope, "headers": kept}
        chain = ",".join(v.decode("latin-1") for n, v in headers if n == b"x-forwarded-for")
        hosts = [host.strip()[:100] for host in chain.split(",") if host.strip()]
        return {**scope, "client": (self.proxies.client(reversed(hosts)) or peer[0], peer[1])}
