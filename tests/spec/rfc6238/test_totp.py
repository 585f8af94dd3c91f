"""RFC 6238, with the values of its appendix and codes of a library that nobody here wrote."""

from __future__ import annotations

from base64 import b32encode
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest

from gatekit.identity.totp import address, code_at, step_of

SECRET = b32encode(b"12345678901234567890").decode()
NOW = 1_790_000_010


@pytest.mark.parametrize(
    ("at", "eight"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_B_the_values_of_the_appendix(at: int, eight: str) -> None:
    """Appendix B has eight digits; six of them are the last six (RFC 4226 §5.3)."""
    assert code_at(SECRET, at // 30) == eight[2:]


def test_4_what_an_application_makes_is_what_we_expect() -> None:
    """§4.2, against another implementation that reads our own QR code's text."""
    told = pyotp.parse_uri(address(SECRET, "gate.example", "alice"))
    assert isinstance(told, pyotp.TOTP)
    assert (told.issuer, told.name, told.digits, told.interval) == ("gate.example", "alice", 6, 30)
    for at in range(NOW, NOW + 30_000, 997):
        assert code_at(SECRET, at // 30) == told.at(at)


def test_names_do_not_break_the_address() -> None:
    text = address(SECRET, "gate.example", "a&secret=x ?#/é")
    parts = urlsplit(text)
    assert parse_qs(parts.query)["secret"] == [SECRET]
    assert not parts.fragment


@pytest.mark.parametrize(("off", "good"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_5_2_one_step_either_way(off: int, good: bool) -> None:
    """§5.2: "We RECOMMEND that at most one time step is allowed as the network delay." """
    code = pyotp.TOTP(SECRET).at(NOW + off)
    assert (step_of(SECRET, code, NOW) == (NOW + off) // 30) is good
    assert (step_of(SECRET, code, NOW) is not None) is good


@pytest.mark.parametrize("code", ["", "12345", "1234567", "٣٣٣٣٣٣", "a" * 6, "\ud800" * 6])
def test_what_is_no_code_is_none(code: str) -> None:
    assert step_of(SECRET, code, NOW) is None
