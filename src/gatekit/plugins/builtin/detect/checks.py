"""What a pattern cannot say: check digits, structure, and whether a value looks made up.

Every check takes the finding and says whether it counts. Sources: ISO/IEC 7812-1 (Luhn), ISO 13616 (IBAN),
ICAO 9303 (travel documents). ``citizens`` has the numbers of persons, ``shapes`` what credentials look like.
"""

from __future__ import annotations

import binascii
import ipaddress
import json
from collections.abc import Callable

from gatekit.plugins.builtin.detect import citizens, shapes
from gatekit.plugins.builtin.detect.citizens import digits, luhn


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_IBAN_LENGTHS = {
    each[:2]: int(each[2:])
    for each in _words("""
    AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28
    EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26
    IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28
    NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25
    SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30
    """)
}


def jwt(text: str) -> bool:
    """RFC 7519 §3: its header is an object that names an algorithm."""
    head = text.partition(".")[0]
    try:
        decoded = json.loads(
            binascii.a2b_base64(head.replace("-", "+").replace("_", "/") + "=" * (-len(head) % 4))
        )
    except (ValueError, RecursionError):
        return False
    return isinstance(decoded, dict) and ("alg" in decoded or "enc" in decoded)


def card(text: str) -> bool:
    """A payment card: range of the issuer, length, Luhn."""
    number = digits(text)
    two, four = int(number[:2]), int(number[:4])
    if 2200 <= four <= 2204 or four == 9792:  # Mir, Troy
        fits = 16 <= len(number) <= 19
    elif number[0] == "4":
        fits = len(number) in (13, 16, 19)
    elif 51 <= two <= 55 or 2221 <= four <= 2720:
        fits = len(number) == 16
    elif two in (34, 37):
        fits = len(number) == 15
    elif two in (36, 38, 39) or 300 <= int(number[:3]) <= 305:
        fits = len(number) == 14
    else:  # Discover, UnionPay, JCB, Maestro
        fits = (two in (50, 56, 57, 58, 60, 62, 63, 64, 65, 67, 81, 82) or 3528 <= four <= 3589) and len(
            number
        ) in (16, 19)
    return fits and len(set(number)) > 1 and luhn(number)


def iban(text: str) -> bool:
    """ISO 13616: length of the country, remainder 1."""
    compact = text.replace(" ", "")
    if _IBAN_LENGTHS.get(compact[:2]) != len(compact):
        return False
    return int("".join(str(int(char, 36)) for char in compact[4:] + compact[:4])) % 97 == 1


def phone(text: str) -> bool:
    """E.164: at most 15 digits, not a row of the same one, and no decimal number."""
    number = digits(text)
    decimal = text.count(".") == 1 and not any(char in text for char in " -/(")
    return 9 <= len(number) <= 15 and len(set(number)) > 2 and not decimal


def phone_us(text: str) -> bool:
    """North American number; 555-01xx is kept for fiction."""
    number = digits(text)
    return len(number) == 10 and number[1:3] != "11" and number[3:8] != "55501"


def phone_any(text: str) -> bool:
    """A number beside a word that says telephone; no date and no span of years."""
    number = digits(text)
    years = number[:2] in ("19", "20") and len(number) == 8 and text[4] in "-/. "
    return 7 <= len(number) <= 15 and len(set(number)) > 2 and not years


def email(text: str) -> bool:
    """Not an address of RFC 2606, which belong to nobody, and not the user of a repository's address."""
    host = text.replace("%40", "@").rpartition("@")[2].lower()
    reserved = host in ("example.com", "example.org", "example.net") or host.endswith(
        (
            ".example",
            ".test",
            ".invalid",
            ".example.com",
            ".example.org",
            ".example.net",
            ".local",
            ".png",
            ".jpg",
        )
    )
    return not reserved and not text.startswith("git@")


def obscured(text: str) -> bool:
    """An address that is spelt so that machines do not read it; no sentence with "at" in it."""
    low = text.lower()
    return "dot" in low or any(mark in low for mark in "[({<") or " punkt " in low


def has_digit(text: str) -> bool:
    """Not a word."""
    return any("0" <= char <= "9" for char in text)


def ipv4_near(text: str) -> bool:
    """An address beside a word that says so: four octets, and not everybody's or nobody's."""
    parts = text.split(".")
    if any(len(part) > 1 and part[0] == "0" for part in parts) or any(int(part) > 255 for part in parts):
        return False
    # This host, all hosts, public resolvers, and the networks of RFC 5737 that stand in examples.
    reserved = (
        "0.",
        "127.",
        "255.",
        "8.8.8.8",
        "8.8.4.4",
        "1.1.1.1",
        "192.0.2.",
        "198.51.100.",
        "203.0.113.",
    )
    return not text.startswith(reserved)


def ipv4(text: str) -> bool:
    """An address and not the number of a version or a section: two parts of two digits or more."""
    return ipv4_near(text) and sum(int(part) >= 10 for part in text.split(".")) >= 2


def ipv6(text: str) -> bool:
    """An address with enough in it to be one, not a time and not two colons in code."""
    try:
        address = ipaddress.IPv6Address(text.partition("%")[0])
    except ValueError:
        return False
    groups = [part for part in text.split(":") if part]
    if text.lower().startswith("2001:db8:"):
        return False  # RFC 3849: for examples
    return (
        len(groups) >= 2
        and not address.is_loopback
        and not address.is_unspecified
        and any(map(_hexlike, groups))
    )


def _hexlike(group: str) -> bool:
    return len(group) >= 3 or any(char in "abcdefABCDEF" for char in group)


def travel_document(text: str) -> bool:
    """ICAO 9303-4: the check digits of the second line of a passport."""
    line = "".join(text.split())[-44:]
    return all(
        sum((0 if char == "<" else int(char, 36)) * (7, 3, 1)[at % 3] for at, char in enumerate(line[a:b]))
        % 10
        == int(line[b].replace("<", "0"))
        for a, b in ((0, 9), (13, 19), (21, 27))
    )


CHECKS: dict[str, Callable[[str], bool]] = {
    each.__name__: each
    for each in (
        *(
            card,
            email,
            has_digit,
            iban,
            ipv4,
            ipv4_near,
            ipv6,
            jwt,
            luhn,
            obscured,
            phone,
            phone_any,
            phone_us,
        ),
        *(shapes.chosen, shapes.chosen_bare, shapes.irregular, shapes.password, shapes.prefixed),
        *(shapes.secret, shapes.token, travel_document),
        *(citizens.aadhaar, citizens.afm, citizens.ahv, citizens.amka, citizens.austria, citizens.baltic),
        *(citizens.belgian, citizens.bsn, citizens.cedula_ec, citizens.china, citizens.cnp),
        *(citizens.codice_fiscale, citizens.cpf, citizens.cuit, citizens.curp, citizens.dated, citizens.dni),
        *(citizens.egn, citizens.fnr, citizens.hetu, citizens.hong_kong, citizens.inn, citizens.itin),
        *(citizens.jmbg, citizens.kennitala, citizens.my_number, citizens.nhs, citizens.nif, citizens.nino),
        *(citizens.nir, citizens.nric, citizens.numbered, citizens.personnummer, citizens.pesel),
        *(citizens.pps, citizens.rodne, citizens.rut, citizens.sin, citizens.snils, citizens.south_africa),
        *(citizens.ssn, citizens.steuer_id, citizens.taiwan, citizens.taj, citizens.tfn, citizens.thailand),
        *(citizens.turkey,),
    )
}
"""By the name that rules give them."""
