"""What a pattern cannot say: check digits, structure, and whether a value looks made up.

Every check takes the finding and says whether it counts. Sources: ISO/IEC 7812-1 (Luhn), ISO 13616 (IBAN),
ISO/IEC 7064 (mod 11,10), the social security administrations' published rules for the rest.
"""

from __future__ import annotations

import binascii
import ipaddress
import json
from collections import Counter
from collections.abc import Callable
from math import log2

_VERHOEFF_D = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_VERHOEFF_P = (
    "0123456789", "1576283094", "5803796142", "8916043527",
    "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_ODD_PLACES = _words("1 0 5 7 9 13 15 17 19 21 2 4 18 20 11 3 6 8 12 14 16 10 22 25 24 23")
"""What A to Z count in odd places of the Italian tax code; 0 to 9 count as A to J do."""
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
_PLACEHOLDERS = _words("""
    example xxxx placeholder changeme change_me redacted your_ your- yourkey yoursecret insert_ replace
    123456789 abcdefgh **** .... ${ {{ %( <
""")
_NAMES_OF_VALUES = (
    "os.environ",
    "process.env",
    "getenv",
    "secrets.",
    "config.",
    "settings.",
    "self.",
    "this.",
)


def digits(text: str) -> str:
    """Its ASCII digits."""
    return "".join(char for char in text if "0" <= char <= "9")


def entropy(text: str) -> float:
    """Shannon entropy in bits for each character."""
    size = len(text)
    return -sum(n / size * log2(n / size) for n in Counter(text).values()) if size else 0.0


def luhn(text: str) -> bool:
    """ISO/IEC 7812-1 annex B."""
    total = 0
    for place, char in enumerate(reversed(digits(text))):
        value = int(char) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def token(text: str) -> bool:
    """Not what people write where a token would stand."""
    low = text.lower()
    return len(set(text)) > 5 and not any(word in low for word in _PLACEHOLDERS)


def password(text: str) -> bool:
    """A password in an address: not a variable, not a word that only stands for one."""
    low = text.lower()
    if len(set(text)) < 3 or low in ("password", "passwd", "pass", "pwd", "secret", "pw", "pass123", "port"):
        return False
    return (
        not any(word in low for word in ("<", "${", "{{", "%(", "$(", "xxxx", "****", "your", "{"))
        and low[0] != "$"
    )


def secret(text: str) -> bool:
    """A value that was assigned: has digits or signs in it, and is neither code nor a placeholder."""
    if not token(text) or text.isalpha() or any(text.startswith(word) for word in _NAMES_OF_VALUES):
        return False
    if text.count("/") > 3 or text.startswith(("http://", "https://", "/", "./", "../")):
        return False
    kinds = sum(
        (any(c.isdigit() for c in text), any(c.islower() for c in text), any(c.isupper() for c in text))
    )
    return kinds >= 2 and any(c.isdigit() for c in text)


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
    if number[0] == "4":
        fits = len(number) in (13, 16, 19)
    elif 51 <= two <= 55 or 2221 <= four <= 2720:
        fits = len(number) == 16
    elif two in (34, 37):
        fits = len(number) == 15
    elif two in (36, 38, 39) or 300 <= int(number[:3]) <= 305:
        fits = len(number) == 14
    else:  # Discover, UnionPay, JCB, Maestro
        fits = (two in (50, 56, 57, 58, 60, 62, 63, 64, 65, 67, 81) or 3528 <= four <= 3589) and len(
            number
        ) in (16, 19)
    return fits and len(set(number)) > 1 and luhn(number)


def iban(text: str) -> bool:
    """ISO 13616: length of the country, remainder 1."""
    compact = text.replace(" ", "")
    if _IBAN_LENGTHS.get(compact[:2]) != len(compact):
        return False
    return int("".join(str(int(char, 36)) for char in compact[4:] + compact[:4])) % 97 == 1


def ssn(text: str) -> bool:
    """US social security number: areas 000, 666 and 9xx, group 00 and serial 0000 are never given out."""
    number = digits(text)
    if number in ("078051120", "219099999", "123456789") or len(set(number)) == 1:
        return False
    return (
        number[:3] not in ("000", "666") and number[0] != "9" and number[3:5] != "00" and number[5:] != "0000"
    )


def nino(text: str) -> bool:
    """UK national insurance number: prefixes that are not used."""
    return text[:2] not in ("BG", "GB", "NK", "KN", "TN", "NT", "ZZ")


def _weighted(number: str, weights: tuple[int, ...]) -> int:
    return sum(int(char) * weight for char, weight in zip(number, weights, strict=False))


def nhs(text: str) -> bool:
    """NHS number: mod 11."""
    number = digits(text)
    left = (11 - _weighted(number, (10, 9, 8, 7, 6, 5, 4, 3, 2)) % 11) % 11
    return len(number) == 10 and left == int(number[9])


def sin(text: str) -> bool:
    """Canadian social insurance number."""
    return len(digits(text)) == 9 and luhn(text)


def nir(text: str) -> bool:
    """French NIR: 97 minus the remainder."""
    compact = text.replace(" ", "")
    body = compact[:13].replace("2A", "19").replace("2B", "18")
    return len(compact) == 15 and body.isdigit() and 97 - int(body) % 97 == int(compact[13:])


def dni(text: str) -> bool:
    """Spanish DNI and NIE: letter by mod 23."""
    compact = text.replace("-", "")
    number = compact[:-1].replace("X", "0", 1).replace("Y", "1", 1).replace("Z", "2", 1)
    return number.isdigit() and "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == compact[-1]


def codice_fiscale(text: str) -> bool:
    """Italian tax code: mod 26 over odd and even places."""
    odd = sum(int(_ODD_PLACES[int(char) if char.isdigit() else ord(char) - 65]) for char in text[:15:2])
    even = sum(int(char) if char.isdigit() else ord(char) - 65 for char in text[1:15:2])
    return chr(65 + (odd + even) % 26) == text[15]


def steuer_id(text: str) -> bool:
    """German tax number: ISO/IEC 7064 mod 11,10."""
    number = digits(text)
    product = 10
    for char in number[:10]:
        total = (int(char) + product) % 10 or 10
        product = total * 2 % 11
    return len(number) == 11 and (11 - product) % 10 == int(number[10])


def bsn(text: str) -> bool:
    """Dutch citizen number: the eleven test."""
    number = digits(text).zfill(9)
    return int(number) > 0 and _weighted(number, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def belgian(text: str) -> bool:
    """Belgian national number: 97 minus the remainder, with a 2 before those born from 2000 on."""
    number = digits(text)
    return any(97 - int(head + number[:9]) % 97 == int(number[9:]) for head in ("", "2"))


def pesel(text: str) -> bool:
    """Polish PESEL."""
    left = (10 - _weighted(text, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10) % 10
    return len(text) == 11 and left == int(text[10])


def personnummer(text: str) -> bool:
    """Swedish personal number: Luhn over the last ten."""
    return luhn(digits(text)[-10:])


def cpf(text: str) -> bool:
    """Brazilian CPF: two digits by mod 11."""
    number = digits(text)
    if len(set(number)) == 1:
        return False
    for length in (9, 10):
        left = _weighted(number[:length], tuple(range(length + 1, 1, -1))) * 10 % 11 % 10
        if left != int(number[length]):
            return False
    return True


def aadhaar(text: str) -> bool:
    """Indian Aadhaar: Verhoeff."""
    number = digits(text)
    left = 0
    for place, char in enumerate(reversed(number)):
        left = int(_VERHOEFF_D[left][int(_VERHOEFF_P[place % 8][int(char)])])
    return len(number) == 12 and left == 0


def tfn(text: str) -> bool:
    """Australian tax file number: mod 11."""
    return _weighted(digits(text), (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0


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
    host = text.rpartition("@")[2].lower()
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


CHECKS: dict[str, Callable[[str], bool]] = {
    each.__name__: each
    for each in (
        *(aadhaar, belgian, bsn, card, codice_fiscale, cpf, dni, email, has_digit, iban, ipv4, ipv4_near),
        *(ipv6, jwt, luhn, nhs, nino, nir, password, personnummer, pesel, phone, phone_any, phone_us),
        *(secret, sin, ssn, steuer_id, tfn, token),
    )
}
"""By the name that rules give them."""
