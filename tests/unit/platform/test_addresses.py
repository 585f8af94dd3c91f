"""Which addresses an outgoing request may reach (checklist M2)."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from gatekit.platform.addresses import AddressRules

PUBLIC = ["8.8.8.8", "140.82.121.4", "1.1.1.1", "2606:4700:4700::1111", "2a00:1450:4001:80b::200e"]

REFUSED = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.254",
    "127.0.0.1",
    "127.255.255.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fc00::1",
    "fd00::1",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "3fff::1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::a00:1",
    "2002:7f00:1::",
    "2002:808:808::",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "100::1",
    "5f00::1",
]

METADATA = [
    "169.254.169.254",
    "169.254.170.2",
    "169.254.1.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::1",
    "fe80::a9fe:a9fe%eth0",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a9fe:a9fe",
    "2002:a9fe:a9fe::",
    "::169.254.169.254",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_pass(address: str) -> None:
    assert AddressRules().refusal("example.com", ip_address(address)) == ""


@pytest.mark.parametrize("address", [*REFUSED, *METADATA])
def test_M2_everything_else_is_refused(address: str) -> None:
    """I2: Everything else is refused."""
    assert AddressRules().refusal("example.com", ip_address(address))


@pytest.mark.parametrize("address", REFUSED)
def test_a_host_that_the_operator_named_may_be_private(address: str) -> None:
    rules = AddressRules(["GHE.corp.example"])
    assert rules.refusal("ghe.corp.example", ip_address(address)) == ""
    assert rules.refusal("other.corp.example", ip_address(address))
    assert rules.names("ghe.corp.example")
    assert not rules.names("other.corp.example")


@pytest.mark.parametrize("address", METADATA)
def test_M2_metadata_services_are_refused_even_where_everything_is_allowed(address: str) -> None:
    rules = AddressRules(["metadata.example", "0.0.0.0/0", "::/0"])
    assert "metadata" in rules.refusal("metadata.example", ip_address(address))


def test_networks_and_literal_addresses_can_be_allowed() -> None:
    rules = AddressRules(["10.1.0.0/16", "127.0.0.1", "[::1]"])
    assert rules.refusal("a.example", ip_address("10.1.2.3")) == ""
    assert rules.refusal("a.example", ip_address("::ffff:10.1.2.3")) == ""
    assert rules.refusal("a.example", ip_address("10.2.0.1"))
    assert rules.refusal("::1", ip_address("::1")) == ""
    assert rules.names("127.0.0.1")
    assert not rules.names("127.0.0.2")
