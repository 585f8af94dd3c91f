"""Check digits: numbers published as valid, and the same with one digit changed."""

from __future__ import annotations

import pytest

from gatekit.plugins.builtin.detect import checks, citizens, shapes

VALID = [
    ("card", "4111 1111 1111 1111"),
    ("card", "5555555555554444"),
    ("card", "2223003122003222"),
    ("card", "378282246310005"),
    ("card", "6011111111111117"),
    ("card", "3530111333300000"),
    ("card", "30569309025904"),
    ("iban", "DE89 3704 0044 0532 0130 00"),
    ("iban", "GB29 NWBK 6016 1331 9268 19"),
    ("iban", "FR14 2004 1010 0505 0001 3M02 606"),
    ("iban", "NO93 8601 1117 947"),
    ("nhs", "943 476 5919"),
    ("sin", "046 454 286"),
    ("nir", "255081416802538"),
    ("dni", "12345678Z"),
    ("dni", "X1234567L"),
    ("codice_fiscale", "RSSMRA85T10A562S"),
    ("steuer_id", "86095742719"),
    ("bsn", "111222333"),
    ("belgian", "93.05.18-223.61"),
    ("pesel", "44051401359"),
    ("personnummer", "811218-9876"),
    ("cpf", "529.982.247-25"),
    ("aadhaar", "2345 6789 0124"),
    ("tfn", "123 456 782"),
]


@pytest.mark.parametrize(("name", "number"), VALID)
def test_a_valid_number_is_and_with_another_digit_is_not(name: str, number: str) -> None:
    check = checks.CHECKS[name]
    assert check(number)
    place = max(place for place, char in enumerate(number[:-1]) if char.isdigit())
    wrong = [number[:place] + digit + number[place + 1 :] for digit in "0123456789" if digit != number[place]]
    assert sum(map(check, wrong)) <= 1  # the Dutch and the Australian test let one neighbour pass


@pytest.mark.parametrize(
    "text", ["000-12-3456", "666-12-3456", "912-34-5678", "123-00-4567", "123-45-0000", "078-05-1120"]
)
def test_social_security_numbers_that_are_never_given_out(text: str) -> None:
    assert not citizens.ssn(text)
    assert citizens.ssn("536-22-8726")


@pytest.mark.parametrize(
    "text",
    ["1.2.3.4", "3.11.2.0", "127.0.0.1", "0.0.0.0", "256.1.1.1", "10.01.2.3", "8.2.4.44", "192.0.2.17"],
)
def test_versions_and_nobodys_addresses_are_no_addresses(text: str) -> None:
    """Part B §3.3: the version 1.2.3.4 was redacted there."""
    assert not checks.ipv4(text)
    assert checks.ipv4_near("9.9.9.10")
    assert checks.ipv4("172.16.20.7")


@pytest.mark.parametrize("text", ["12:30:45", "::", "::1", "a::b::c", "1:2", "std::vector"])
def test_colons_are_no_addresses(text: str) -> None:
    assert not checks.ipv6(text)
    assert checks.ipv6("fe80::1ff:fe23:4567:890a%eth0")


def test_a_token_is_not_what_stands_for_one() -> None:
    assert shapes.token("ghp_k2Jd83hDk29dkJd83")
    for text in (
        "ghp_xxxxxxxxxxxxxxxxxxxx",
        "YOUR_API_KEY_HERE_1",
        "AKIAIOSFODNN7EXAMPLE",
        "${API_KEY_FROM_ENV}",
    ):
        assert not shapes.token(text)


def test_a_web_token_has_a_header_that_names_an_algorithm() -> None:
    assert checks.jwt("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl")
    assert not checks.jwt("eyJub3QiOiJvbmUifQ.eyJzdWIiOiIxIn0.c2lnbmF0dXJl")
    assert not checks.jwt("eyJ.x.y")


def test_entropy() -> None:
    assert shapes.entropy("") == 0
    assert shapes.entropy("aaaa") == 0
    assert shapes.entropy("abcd") == 2
