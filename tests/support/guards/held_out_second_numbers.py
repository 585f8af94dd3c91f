"""Second held-out corpus: people's numbers of many countries, with right check digits."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Sequence

Made = Callable[[random.Random], str]


def digits(chance: random.Random, size: int) -> str:
    """So many random digits."""
    return "".join(chance.choices(string.digits, k=size))


def day(chance: random.Random, shape: str = "ymd") -> str:
    """A date of birth between 1950 and 1999, two digits for each letter of ``shape``."""
    parts = {"y": chance.randrange(50, 100), "m": chance.randrange(1, 13), "d": chance.randrange(1, 29)}
    return "".join(f"{parts[letter]:02d}" for letter in shape)


def weighed(number: str, weights: Sequence[int]) -> int:
    """Sum of digits times weights."""
    return sum(int(digit) * weight for digit, weight in zip(number, weights, strict=True))


def luhn(number: str) -> str:
    """The number with its check digit (ISO/IEC 7812-1 annex B)."""
    doubled = (int(digit) * 2 if at % 2 == 0 else int(digit) for at, digit in enumerate(reversed(number)))
    return number + str(-sum(value // 10 + value % 10 for value in doubled) % 10)


def card(*starts: str, size: int = 16, mark: str = "") -> Made:
    """A card number that begins so, in groups of four if there is a mark to stand between them."""

    def made(chance: random.Random) -> str:
        start = chance.choice(starts)
        number = luhn(start + digits(chance, size - 1 - len(start)))
        if not mark:
            return number
        cuts = (0, 4, 10) if size in (14, 15) else tuple(range(0, size, 4))
        return mark.join(number[a:b] for a, b in zip(cuts, (*cuts[1:], size), strict=True))

    return made


def iban(country: str, shape: str, grouped: bool = True) -> Made:
    """An account (ISO 13616): in the shape ``A`` is a letter, ``0`` a digit, all else stands."""

    def made(chance: random.Random) -> str:
        random_of = {"A": string.ascii_uppercase, "0": string.digits}
        account = "".join(chance.choice(random_of.get(each, each)) for each in shape)
        value = int("".join(str(int(each, 36)) for each in f"{account}{country}00"))
        number = f"{country}{98 - value % 97:02d}{account}"
        return " ".join(number[at : at + 4] for at in range(0, len(number), 4)) if grouped else number

    return made


def until(start: Made, check: Callable[[str], int]) -> Made:
    """Such a start and its check digit; another one where the check has no digit."""

    def made(chance: random.Random) -> str:
        while True:
            number = start(chance)
            value = check(number)
            if value < 10:
                return f"{number}{value}"

    return made


def fixed(start: str, size: int) -> Made:
    """The start and so many digits."""
    return lambda chance: start + digits(chance, size)


def aadhaar(chance: random.Random) -> str:
    """Twelve digits, the last by Verhoeff's scheme."""
    number = chance.choice("23456789") + digits(chance, 10)
    state = 0
    for place, digit in enumerate(reversed(number), 1):
        value = int(digit)
        for _ in range(place % 8):
            value = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)[value]
        turned, flip = (state - value, True) if state > 4 else (state + value, False)
        state = turned % 5 + 5 * (flip != (value > 4))
    check = state if state > 4 else -state % 5
    return " ".join((number[:4], number[4:8], number[8:] + str(check)))


def austria(chance: random.Random) -> str:
    """Sozialversicherungsnummer: the check digit stands fourth."""
    while True:
        serial, born = str(chance.randrange(100, 1000)), day(chance, "dmy")
        check = weighed(serial + born, (3, 7, 9, 5, 8, 4, 2, 1, 6)) % 11
        if check < 10:
            return f"{serial}{check} {born}"


def switzerland(chance: random.Random) -> str:
    """AHV number, which is an EAN-13."""
    number = "756" + digits(chance, 9)
    number += str(-weighed(number, (1, 3) * 6) % 10)
    return f"{number[:3]}.{number[3:7]}.{number[7:11]}.{number[11:]}"


def ireland(chance: random.Random) -> str:
    """Personal Public Service Number."""
    number = digits(chance, 7)
    return number + "WABCDEFGHIJKLMNOPQRSTUV"[(weighed(number, range(8, 1, -1)) + 9) % 23] + "A"


def czechia(chance: random.Random) -> str:
    """Rodné číslo, a multiple of eleven."""
    while True:
        number = day(chance) + digits(chance, 3)
        if -int(number + "0") % 11 < 10:
            return f"{number[:6]}/{number[6:]}{-int(number + '0') % 11}"


def croatia(chance: random.Random) -> str:
    """OIB, by ISO/IEC 7064 MOD 11,10."""
    number, product = digits(chance, 10), 10
    for digit in number:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return number + str((11 - product) % 10)


def baltic(number: str) -> int:
    """Check digit of Estonia and Lithuania."""
    first = weighed(number, (1, 2, 3, 4, 5, 6, 7, 8, 9, 1)) % 11
    return first if first < 10 else weighed(number, (3, 4, 5, 6, 7, 8, 9, 1, 2, 3)) % 11 % 10


def identity_card(chance: random.Random) -> str:
    """German identity card with its check digit (ICAO 9303-3)."""
    number = chance.choice("LMNPRTVWXY") + "".join(chance.choices("CFGHJKLMNPRTVWXYZ0123456789", k=8))
    return number + str(sum(int(each, 36) * (7, 3, 1)[at % 3] for at, each in enumerate(number)) % 10)


def pension(chance: random.Random) -> str:
    """German social insurance number."""
    letter = chance.choice("BDFGHKLMNPRSTW")
    start, serial = chance.choice(["12", "15", "24", "53", "65"]) + day(chance, "dmy"), digits(chance, 2)
    number = f"{start}{ord(letter) - 64:02d}{serial}"
    products = (
        int(each) * weight for each, weight in zip(number, (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1), strict=True)
    )
    return (
        f"{start[:2]} {start[2:]} {letter} {serial}{sum(value // 10 + value % 10 for value in products) % 10}"
    )


def curp(chance: random.Random) -> str:
    """Mexican population register code."""
    alphabet = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
    code = f"{chance.choice(['GO', 'HE', 'LA', 'MU'])}{chance.choice(['ML', 'PR', 'SC'])}{day(chance)}"
    code += (
        chance.choice("HM")
        + chance.choice(["DF", "JC", "NL", "MC"])
        + "".join(chance.choices("BCDFGLMNPRST", k=3))
    )
    code += chance.choice("0123")
    return code + str(-sum(alphabet.index(each) * (18 - at) for at, each in enumerate(code)) % 10)


def singapore(chance: random.Random) -> str:
    """NRIC of a citizen born before 2000."""
    number = digits(chance, 7)
    return f"S{number}{'JZIHGFEDCBA'[weighed(number, (2, 7, 6, 5, 4, 3, 2)) % 11]}"


def hong_kong(chance: random.Random) -> str:
    """Identity card with one letter."""
    letter, number = chance.choice("ACDEGHKPRVYZ"), digits(chance, 6)
    total = 36 * 9 + int(letter, 36) * 8 + weighed(number, range(7, 1, -1))
    return f"{letter}{number}({'0123456789A'[-total % 11]})"


def taiwan(chance: random.Random) -> str:
    """National identification card."""
    letter, value = chance.choice((("A", "10"), ("B", "11"), ("F", "15"), ("H", "17")))
    number = chance.choice("12") + digits(chance, 7)
    return f"{letter}{number}{-weighed(value + number, (1, 9, 8, 7, 6, 5, 4, 3, 2, 1)) % 10}"


def snils(chance: random.Random) -> str:
    """Russian insurance number."""
    number = str(chance.randrange(2, 9)) + digits(chance, 8)
    return f"{number[:3]}-{number[3:6]}-{number[6:]} {weighed(number, range(9, 0, -1)) % 101 % 100:02d}"


def inn(chance: random.Random) -> str:
    """Russian taxpayer number of a person."""
    number = "77" + digits(chance, 8)
    number += str(weighed(number, (7, 2, 4, 10, 3, 5, 9, 4, 6, 8)) % 11 % 10)
    return number + str(weighed(number, (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)) % 11 % 10)


def medicare(chance: random.Random) -> str:
    """US Medicare beneficiary identifier (CMS: eleven places, no S, L, O, I, B, Z)."""
    letters = "ACDEFGHJKMNPQRTUVWXY"
    kinds = {"C": "123456789", "A": letters, "N": string.digits, "X": letters + string.digits}
    code = "".join(chance.choice(kinds[each]) for each in "CAXNAXNAANN")
    return f"{code[:4]}-{code[4:7]}-{code[7:]}"


def australia(chance: random.Random) -> str:
    """Medicare card number."""
    number = chance.choice("23456") + digits(chance, 7)
    number += f"{weighed(number, (1, 3, 7, 9, 1, 3, 7, 9)) % 10}1"
    return f"{number[:4]} {number[4:9]} {number[9:]}"


def tax_file(chance: random.Random) -> str:
    """Australian tax file number."""
    while True:
        number = chance.choice("123456789") + digits(chance, 8)
        if weighed(number, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0:
            return f"{number[:3]} {number[3:6]} {number[6:]}"


def licence(chance: random.Random) -> str:
    """British driving licence: surname, date of birth, initials, check."""
    name = chance.choice(["BAKER", "COOPE", "HUGHE", "PATEL", "WALSH"])
    year, month, date = day(chance)[:2], chance.randrange(1, 13), chance.randrange(1, 29)
    end = f"{chance.choice('AJKM')}9{digits(chance, 1)}{chance.choice('ABCD')}{chance.choice('EFGH')}"
    return f"{name}{year[0]}{month:02d}{date:02d}{year[1]}{end}"
