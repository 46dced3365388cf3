"""What proxies forward is believed of named ones, and left out of everybody else's requests."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.coroutines import run
from ui.inference.client import client_of
from ui.server.forwarded import Forwarded, Proxies


def seen(proxies, peer, **headers):
    """The client and the headers that the application finds."""
    found = []

    async def app(scope, receive, send):
        found.append(scope)

    scope = {
        "type": "http",
        "client": (peer, 1),
        "headers": [(n.replace("_", "-").encode(), v.encode()) for n, v in headers.items()],
    }
    run(Forwarded(app, Proxies(proxies))(scope, None, None))
    return found[0]["client"][0], {n.decode() for n, _ in found[0]["headers"]}


@pytest.mark.parametrize("proxies", ["", "10.0.0.0/8", "192.0.2.1, 2001:db8::/32"])
def test_nobody_else_chooses_an_address_of_its_own_or_the_page_s(proxies):
    forged = {
        "x_forwarded_for": "1.2.3.4",
        "x_forwarded_host": "evil.example",
        "x_forwarded_proto": "https",
        "x_gradio_server": "https://evil.example",
        "forwarded": "for=1.2.3.4",
        "x_real_ip": "1.2.3.4",
    }
    assert seen(proxies, "203.0.113.9", host="a", **forged) == ("203.0.113.9", {"host"})


@pytest.mark.parametrize(
    ("proxies", "chain", "client"),
    [
        ("127.0.0.1", "1.2.3.4", "1.2.3.4"),
        ("127.0.0.1", "9.9.9.9, 1.2.3.4", "1.2.3.4"),  # the first is what the client said
        ("127.0.0.1,10.0.0.0/8", "9.9.9.9, 1.2.3.4, 10.3.3.3", "1.2.3.4"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", " , ", "127.0.0.1"),
        ("*", "9.9.9.9, 1.2.3.4", "1.2.3.4"),
        ("127.0.0.1", "not an address", "not an address"),
    ],
)
def test_a_named_proxy_says_who_asks(proxies, chain, client):
    found, headers = seen(proxies, "127.0.0.1", x_forwarded_for=chain, x_forwarded_host="a.example")
    assert found == client and "x-forwarded-host" in headers


def test_a_space_names_its_own(monkeypatch):
    monkeypatch.delenv("FORWARDED_ALLOW_IPS", raising=False)
    assert "10.1.2.3" not in Proxies.of_environment()
    monkeypatch.setenv("SPACE_ID", "user/space")
    assert "10.1.2.3" in Proxies.of_environment() and "1.2.3.4" not in Proxies.of_environment()


def test_what_is_no_address_is_named():
    with pytest.raises(ValueError, match=r"FORWARDED_ALLOW_IPS: 'a\.proxy' does not appear"):
        Proxies("127.0.0.1,a.proxy")


@pytest.mark.parametrize(
    ("host", "client"),
    [
        ("1.2.3.4", "1.2.3.4"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
    ],
)
def test_a_network_of_ipv6_is_one_client(host, client):
    assert client_of(SimpleNamespace(client=SimpleNamespace(host=host))) == client
