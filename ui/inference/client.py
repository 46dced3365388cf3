"""Who asks: where from, and whether anybody still listens.

The one place that looks into Gradio, which ends a stream whose reader has gone but lets the
function go on. Addresses are compared, never written down.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address, ip_network
from typing import Any

from gradio.context import LocalContext


def client_of(request: Any) -> str:
    """Where a request of Starlette's or Gradio's comes from; "" if that is not known.

    Of an IPv6 address the half that is a network's: the other half everybody can choose. Behind a
    proxy it is who the proxy says (``ui/server/forwarded.py``).
    """
    if request is None or not getattr(request, "client", None):
        return ""
    host = str(request.client.host)
    with suppress(ValueError):
        if (address := ip_address(host.partition("%")[0])).version == 6:
            return str(ip_network((address, 64), strict=False))
    return host


def current_client() -> str:
    """Who has caused the event that this thread works on."""
    return client_of(LocalContext.request.get(None))


def current_listener() -> Callable[[], bool]:
    """A function that tells whether anybody waits for the event that this thread works on."""
    blocks, event_id = LocalContext.blocks.get(None), LocalContext.event_id.get(None)
    if blocks is None or event_id is None:
        return lambda: True
    event = blocks._queue.event_ids_to_events.get(event_id)
    return lambda: event is not None and event.alive
