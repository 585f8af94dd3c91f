"""Numbers that states give to people, and how each is checked.

Sources: the rules that the issuing administrations publish; ISO/IEC 7812-1 (Luhn), ISO/IEC 7064 (mod 11,10
and mod 97,10). Every check takes the finding as it stands in the text.
"""

from __future__ import annotations

from datetime import date

_VERHOEFF_D = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_VERHOEFF_P = (
    "0123456789", "1576283094", "5803796142", "8916043527",
    "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip


_ODD_PLACES = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
"""What A to Z count in odd places of the Italian tax code; 0 to 9 count as A to J do."""


def digits(text: str) -> str:
    """Its ASCII digits."""
    return "".join(char for char in text if "0" <= char <= "9")


def luhn(text: str) -> bool:
    """ISO/IEC 7812-1 annex B."""
    total = 0
    for place, char in enumerate(reversed(digits(text))):
        value = int(char) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


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


def dated(text: str) -> bool:
    """Begins with a day, as year, month, day or as day, month, year; women's months and foreigners' days may
    have something added (20, 50, 70 to the month; 40 to the day)."""
    number = digits(text)
    pairs = [int(number[at : at + 2]) for at in (0, 2, 4)]
    return (_month(pairs[1]) and (_day(pairs[0]) or _day(pairs[2]))) or (
        number[:2] in ("19", "20") and _month(pairs[2]) and _day(int(number[6:8] or 0))
    )


def _month(value: int) -> bool:
    return (value <= 92 and 1 <= value % 20 <= 12) or 51 <= value <= 62 or 71 <= value <= 82


def _day(value: int) -> bool:
    return 1 <= value <= 31 or 41 <= value <= 71


def _modulo(text: str, weights: str, mod: int = 11) -> bool:
    """The weighted sum of its digits, that of the check digit included, is a multiple."""
    number = digits(text)
    return (
        len(number) == len(weights)
        and not sum(int(char) * int(weight, 36) for char, weight in zip(number, weights, strict=True)) % mod
    )


def _complement(text: str, weights: str, *, over: int = 0) -> bool:
    """The last digit is 11 minus the remainder by 11; ``over``: what stands for 10."""
    number = digits(text)
    if len(number) != len(weights) + 1:
        return False
    left = (11 - sum(int(a) * int(b, 36) for a, b in zip(number, weights, strict=False)) % 11) % 11
    return (over if left == 10 else left) == int(number[-1])


def _remainder(text: str, weights: str, *, over: int = 0) -> bool:
    """The last digit is the remainder by 11."""
    number = digits(text)
    if len(number) != len(weights) + 1:
        return False
    left = sum(int(a) * int(b, 36) for a, b in zip(number, weights, strict=False)) % 11
    return (over if left == 10 else left) == int(number[-1])


def itin(text: str) -> bool:
    """US individual taxpayer number: begins with 9, groups 50 to 65, 70 to 88, 90 to 92, 94 to 99."""
    number = digits(text)
    group = int(number[3:5])
    return number[0] == "9" and group != 93 and (50 <= group <= 65 or 70 <= group <= 88 or group >= 90)


def rut(text: str) -> bool:
    """Chilean RUT: mod 11 with K for 10."""
    body, check = digits(text[:-1]), text[-1].upper()
    left = -sum(int(char) * (2 + at % 6) for at, char in enumerate(reversed(body))) % 11
    return check == "0123456789K"[left]


def hetu(text: str) -> bool:
    """Finnish personal identity code: remainder by 31."""
    number = digits(text[:-1])
    return len(number) == 9 and "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(number) % 31] == text[-1].upper()


def fnr(text: str) -> bool:
    """Norwegian birth number: two digits by mod 11."""
    number = digits(text)
    return _modulo(number[:10], "3761894521") and _modulo(number, "54327654321")


def nif(text: str) -> bool:
    """Portuguese NIF: mod 11, with 0 for 10."""
    return _complement(text, "98765432") or (digits(text)[-1] == "0" and _modulo(text, "987654321"))


def china(text: str) -> bool:
    """Chinese resident number: ISO 7064 mod 11-2, and a day of birth."""
    total = sum(int(char) * 2 ** (17 - at) for at, char in enumerate(text[:17]))
    return "10X98765432"[total % 11] == text[17].upper() and _born(text[6:14])


def _born(day: str) -> bool:
    try:
        return date(int(day[:4]), int(day[4:6]), int(day[6:8])).year > 1870
    except ValueError:
        return False


def south_africa(text: str) -> bool:
    """South African identity number: Luhn, and a day of birth."""
    return len(digits(text)) == 13 and luhn(text) and dated(text)


def turkey(text: str) -> bool:
    """Turkish identity number: two digits by mod 10."""
    number = [int(char) for char in text]
    tenth = (sum(number[0:9:2]) * 7 - sum(number[1:8:2])) % 10
    return number[9] == tenth and sum(number[:10]) % 10 == number[10]


def cuit(text: str) -> bool:
    """Argentine CUIT and CUIL: mod 11."""
    return _complement(text, "5432765432", over=9)


def curp(text: str) -> bool:
    """Mexican CURP: mod 10."""
    letters = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
    total = sum(letters.index(char) * (18 - at) for at, char in enumerate(text[:17]))
    return str(-total % 10) == text[17]


def rodne(text: str) -> bool:
    """Czech and Slovak birth number: a multiple of 11, and a day of birth."""
    number = digits(text)
    left = int(number[:9]) % 11 % 10
    return dated(text) and (int(number) % 11 == 0 or left == int(number[-1]))


def cnp(text: str) -> bool:
    """Romanian CNP: mod 11, with 1 for 10."""
    return _remainder(text, "279146358279", over=1)


def egn(text: str) -> bool:
    """Bulgarian EGN: mod 11."""
    return _remainder(text, "2485a9736") and dated(text)


def jmbg(text: str) -> bool:
    """JMBG and EMŠO of the states of former Yugoslavia: mod 11."""
    return _complement(text, "765432765432")


def baltic(text: str) -> bool:
    """Estonian and Lithuanian personal code: mod 11 in two rounds."""
    number = digits(text)
    for weights in ("1234567891", "3456789123"):
        left = _weighted(number[:10], tuple(map(int, weights))) % 11
        if left < 10:
            return left == int(number[10])
    return number[10] == "0"


def taj(text: str) -> bool:
    """Hungarian social security number (mod 10) or tax number (mod 11)."""
    number = digits(text)
    if len(number) == 10:
        return _weighted(number[:9], (1, 2, 3, 4, 5, 6, 7, 8, 9)) % 11 == int(number[9])
    return _weighted(number[:8], (3, 7, 3, 7, 3, 7, 3, 7)) % 10 == int(number[8])


def amka(text: str) -> bool:
    """Greek AMKA: Luhn, and a day of birth."""
    return luhn(text) and dated(text)


def afm(text: str) -> bool:
    """Greek tax number: powers of two, mod 11."""
    number = digits(text)
    return sum(int(char) << (8 - at) for at, char in enumerate(number[:8])) % 11 % 10 == int(number[8])


def pps(text: str) -> bool:
    """Irish PPS number: letter by mod 23."""
    second = ord(text[8]) - 64 if len(text) > 8 and text[8] != "W" else 0
    total = _weighted(text[:7], (8, 7, 6, 5, 4, 3, 2)) + 9 * second
    return "WABCDEFGHIJKLMNOPQRSTUV"[total % 23] == text[7]


def austria(text: str) -> bool:
    """Austrian social insurance number: mod 11, the check digit is the fourth."""
    number = digits(text)
    return _weighted(number[:3] + number[4:], (3, 7, 9, 5, 8, 4, 2, 1, 6)) % 11 == int(number[3])


def ahv(text: str) -> bool:
    """Swiss AHV number: EAN-13."""
    return _modulo(text, "1313131313131", 10)


def kennitala(text: str) -> bool:
    """Icelandic number: mod 11."""
    return _modulo(digits(text)[:9], "327654321")


def taiwan(text: str) -> bool:
    """Taiwanese identity number: mod 10."""
    first = "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(text[0]) + 10
    return not (first // 10 + first % 10 * 9 + _weighted(text[1:], (8, 7, 6, 5, 4, 3, 2, 1, 1))) % 10


def hong_kong(text: str) -> bool:
    """Hong Kong identity card: mod 11 with A for 10."""
    compact = "".join(char for char in text if char.isalnum()).rjust(9, " ")
    values = [36 if char == " " else int(char, 36) for char in compact]
    return not sum(value * (9 - at) for at, value in enumerate(values)) % 11


def nric(text: str) -> bool:
    """Singapore NRIC and FIN: letter by mod 11."""
    total = _weighted(text[1:8], (2, 7, 6, 5, 4, 3, 2)) + {"T": 4, "G": 4, "M": 3}.get(text[0], 0)
    letters = {"S": "JZIHGFEDCBA", "T": "JZIHGFEDCBA", "M": "XWUTRQPNJLK"}.get(text[0], "XWUTRQPNMLK")
    return letters[total % 11] == text[8] or text[0] == "M"


def thailand(text: str) -> bool:
    """Thai citizen number: mod 11."""
    number = digits(text)
    total = _weighted(number[:12], tuple(range(13, 1, -1)))
    return (11 - total % 11) % 10 == int(number[12])


def my_number(text: str) -> bool:
    """Japanese individual number: mod 11."""
    number = digits(text)
    left = _weighted(number[:11], (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return (0 if left <= 1 else 11 - left) == int(number[11])


def snils(text: str) -> bool:
    """Russian SNILS: mod 101."""
    number = digits(text)
    return _weighted(number[:9], (9, 8, 7, 6, 5, 4, 3, 2, 1)) % 101 % 100 == int(number[9:])


def inn(text: str) -> bool:
    """Russian taxpayer number of a person: two digits by mod 11."""
    number = digits(text)
    first = _weighted(number[:10], (7, 2, 4, 10, 3, 5, 9, 4, 6, 8)) % 11 % 10
    second = _weighted(number[:11], (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)) % 11 % 10
    return number[10:] == f"{first}{second}"


def cedula_ec(text: str) -> bool:
    """Ecuadorian identity card: Luhn."""
    return len(digits(text)) == 10 and luhn(text)


def numbered(text: str) -> bool:
    """Enough digits for a number that stands beside a word that says what it is."""
    number = digits(text)
    return 5 <= len(number) <= 20 and len(set(number)) > 2
