"""X-Forwarded-For is believed as far as the operator's own proxies wrote it (checklist D9)."""

from __future__ import annotations

import pytest

from gatekit.platform.peers import TrustedProxies

PROXIES = TrustedProxies(["10.0.0.0/8", "fd00::/8", "192.0.2.1"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", ["203.0.113.7, 10.0.0.2"], "203.0.113.7"),
        ("10.0.0.1", ["1.2.3.4, 203.0.113.7, 10.0.0.2"], "203.0.113.7"),  # 1.2.3.4 was the client's own idea
        ("10.0.0.1", ["1.2.3.4", "203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", ["203.0.113.7:50123"], "203.0.113.7"),
        ("10.0.0.1", ["[2001:db8::9]:443"], "2001:db8::9"),
        ("10.0.0.1", ["2001:db8::9"], "2001:db8::9"),
        ("::ffff:10.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("fd00::1", ["::ffff:203.0.113.7"], "203.0.113.7"),
        ("192.0.2.1", ["10.0.0.9"], "10.0.0.9"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["unknown"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.7, garbage"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.7, garbage, 10.0.0.3"], "10.0.0.3"),
        ("203.0.113.9", ["1.2.3.4"], "203.0.113.9"),
        ("192.0.2.2", ["1.2.3.4"], "192.0.2.2"),
        ("", ["1.2.3.4"], ""),
        ("10.0.0.1", [",".join(["10.0.0.2"] * 10_000)], "10.0.0.2"),
    ],
)
def test_D9_only_our_own_proxies_are_believed(peer: str, forwarded: list[str], client: str) -> None:
    headers = [(b"x-forwarded-for", line.encode()) for line in forwarded]
    assert PROXIES.client(peer, [(b"host", b"x"), *headers, (b"x-real-ip", b"9.9.9.9")]) == client


def test_without_proxies_the_peer_is_the_client() -> None:
    nobody = TrustedProxies()
    assert not nobody
    assert PROXIES
    assert nobody.client("10.0.0.1", [(b"x-forwarded-for", b"1.2.3.4")]) == "10.0.0.1"
