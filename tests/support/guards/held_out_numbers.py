"""People's data for the held-out texts: numbers with right check digits, and how people write them down."""

from __future__ import annotations

import random
import string
from collections.abc import Iterator, Sequence


def _digits(chance: random.Random, size: int) -> str:
    return "".join(chance.choices(string.digits, k=size))


def _sum(number: str, weights: Sequence[int]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(number, weights, strict=True))


def luhn(number: str) -> str:
    """The number with its check digit (ISO/IEC 7812-1 annex B)."""
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return number + str(-total % 10)


def iban(country: str, account: str) -> str:
    """The account with its country and check digits (ISO 13616, ISO/IEC 7064 MOD 97-10)."""
    number = int("".join(str(int(char, 36)) for char in account + country + "00"))
    return f"{country}{98 - number % 97:02d}{account}"


def _fours(text: str, mark: str = " ") -> str:
    return mark.join(text[at : at + 4] for at in range(0, len(text), 4))


def _until(chance: random.Random, size: int, weights: Sequence[int], first: str = "123456789") -> str:
    """A random number whose weighted sum is a multiple of eleven."""
    while True:
        number = chance.choice(first) + _digits(chance, size - 1)
        if _sum(number, weights) % 11 == 0:
            return number


def _verhoeff(number: str) -> str:
    turn = [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]]
    for _ in range(6):
        turn.append([turn[-1][value] for value in turn[1]])

    def times(one: int, two: int) -> int:
        """Multiplication in the dihedral group of the pentagon."""
        if one < 5:
            return (one + two) % 5 + (5 if two >= 5 else 0)
        return (one - two) % 5 + (0 if two >= 5 else 5)

    for check in range(10):
        state = 0
        for place, digit in enumerate(reversed(number + str(check))):
            state = times(state, turn[place % 8][int(digit)])
        if state == 0:
            return number + str(check)
    raise AssertionError(number)


def _cards(chance: random.Random) -> Iterator[tuple[str, str]]:
    def card(start: str, size: int) -> str:
        return luhn(start + _digits(chance, size - 1 - len(start)))

    amex = card(chance.choice(["34", "37"]), 15)
    yield "card-visa", _fours(card("45", 16))
    yield "card-visa", card("49", 16)
    yield "card-mastercard", _fours(card(chance.choice(["51", "53", "55"]), 16), "-")
    yield "card-mastercard", card(chance.choice(["2231", "2512", "2704"]), 16)
    yield "card-amex", f"{amex[:4]} {amex[4:10]} {amex[10:]}"
    yield "card-discover", _fours(card("6011", 16))
    yield "card-diners", card("36", 14)
    yield "card-jcb", _fours(card("3541", 16))
    yield "card-unionpay", card("6221", 16)
    yield "card-unionpay", f"Card number: «{card('6225', 19)}»"
    yield "card-maestro", f"card: «{card('6759', 16)}» exp 09/28"
    yield "card-mir", _fours(card("2202", 16))
    yield "card-rupay", _fours(card("6521", 16))
    yield "card-troy", f"Kart no: «{_fours(card('9792', 16))}»"


_BANKS = (
    ("DE", "18"), ("FR", "23"), ("ES", "20"), ("IT", "L22"), ("NL", "RABO10"), ("BE", "12"),
    ("GB", "BARC14"), ("CH", "17"), ("AT", "16"), ("PL", "24"), ("PT", "21"), ("SE", "20"), ("NO", "11"),
    ("DK", "14"), ("FI", "14"), ("IE", "AIBK14"), ("LU", "16"), ("CZ", "20"),
)  # fmt: skip
"""Country and shape of the account: letters that stand, then how many digits."""


def _accounts(chance: random.Random) -> Iterator[tuple[str, str]]:
    for at, (country, shape) in enumerate(_BANKS):
        letters = shape.rstrip(string.digits)
        number = iban(country, letters + _digits(chance, int(shape[len(letters) :])))
        yield f"iban-{country.lower()}", number if at % 3 == 1 else _fours(number)


_PHONES = (
    ("us", "(415) 7{digit:2}-{digit:4}"),
    ("us", "+1 212-6{digit:2}-{digit:4}"),
    ("us", "Call me: «646.3{digit:2}.{digit:4}»"),
    ("gb", "+44 7912 {digit:6}"),
    ("gb", "Mobile: «07845 {digit:6}»"),
    ("de", "+49 170 {digit:7}"),
    ("de", "Tel.: «030 / 23{digit:6}»"),
    ("fr", "+33 6 {digit:2} {digit:2} {digit:2} {digit:2}"),
    ("fr", "Tél. «06.4{digit:1}.{digit:2}.{digit:2}.{digit:2}»"),
    ("es", "+34 612 {digit:3} {digit:3}"),
    ("it", "+39 347 {digit:7}"),
    ("nl", "+31 6 2{digit:7}"),
    ("nl", "Telefoon: «06-4{digit:7}»"),
    ("be", "+32 475 {digit:2} {digit:2} {digit:2}"),
    ("ch", "+41 79 {digit:3} {digit:2} {digit:2}"),
    ("at", "+43 664 {digit:7}"),
    ("se", "+46 70-{digit:3} {digit:2} {digit:2}"),
    ("pl", "+48 601 {digit:3} {digit:3}"),
    ("pt", "+351 912 {digit:3} {digit:3}"),
    ("ie", "+353 87 {digit:3} {digit:4}"),
    ("br", "+55 11 9{digit:4}-{digit:4}"),
    ("br", "WhatsApp: «(21) 98{digit:3}-{digit:4}»"),
    ("in", "+91 98{digit:3} {digit:5}"),
    ("jp", "+81 90-{digit:4}-{digit:4}"),
    ("jp", "電話:«03-5{digit:3}-{digit:4}»"),
    ("cn", "+86 138 {digit:4} {digit:4}"),
    ("cn", "手机号:«139{digit:8}»"),
    ("kr", "+82 10-{digit:4}-{digit:4}"),
    ("au", "+61 412 {digit:3} {digit:3}"),
    ("au", "mob «0423 {digit:3} {digit:3}»"),
    ("mx", "+52 55 {digit:4} {digit:4}"),
    ("za", "+27 82 {digit:3} {digit:4}"),
    ("tr", "+90 532 {digit:3} {digit:2} {digit:2}"),
    ("il", "+972 54-{digit:3}-{digit:4}"),
    ("e164", "+4915{digit:9}"),
)

_MAIL = (
    ("email", "{letters:6}.{letters:9}@gmail.com"),
    ("email", "{letters:7}+shop{digit:2}@outlook.com"),
    ("email", "{letters:1}.{letters:8}@mail.{letters:9}.co.uk"),
    ("email", "{letters:5}_{digit:4}@{letters:8}.de"),
    ("email", 'From: "Ana P." <«{letters:8}@{letters:10}.com.br»>\nSubject: factura\n'),
    ("email", '<a href="mailto:«{letters:7}@{letters:9}.fr»">écrivez-moi</a>'),
    ("email", "user=«{letters:9}%40{letters:7}.org»&next=/home"),
    ("email", "E-Mail: «jörg.{letters:6}@{letters:8}.ch»"),
    ("email", "Schreib an «{letters:6} [at] {letters:8} [dot] com»"),
    ("ipv6", "2a02:8109:{hex:4}:{hex:4}:{hex:4}:{hex:4}:{hex:4}:{hex:4}"),
    ("ipv6", "2001:4c4e:{hex:4}::{hex:4}:{hex:3}"),
    ("ipv6", "sshd: Accepted publickey for ops from «2a00:1450:{hex:4}:{hex:3}::{hex:4}» port 51022"),
    ("birth", "Date of birth: «1{digit:1}/07/198{digit:1}»"),
    ("birth", "DOB: «197{digit:1}-11-1{digit:1}»"),
    ("birth", "geboren am «1{digit:1}.10.199{digit:1}» in Kiel"),
    ("birth", "née le «2 mars 196{digit:1}» à Lyon"),
    ("birth", "Fecha de nacimiento: «1{digit:1} de julio de 198{digit:1}»"),
    ("birth", "born on «March 1{digit:1}, 199{digit:1}»"),
    ("birth", '{"name": "L.", "birth_date": "«200{digit:1}-12-1{digit:1}»"}'),
    ("birth", "生年月日:«198{digit:1}年4月1{digit:1}日»"),
    ("passport", "Passport No. «C{digit:8}»"),
    ("passport", "US passport number: «5{digit:8}»"),
    ("passport", "Reisepass-Nr.: «C01{upper:6}»"),
    ("passport", "Passeport n° «{digit:2}AB{digit:5}»"),
)


def _mod11(number: str) -> str:
    """The two check digits of a Brazilian CPF."""
    for size in (10, 11):
        rest = _sum(number, range(size, 1, -1)) * 10 % 11
        number += str(rest % 10)
    return number


def _tax_de(chance: random.Random) -> str:
    start = chance.sample("123456789", 9)
    start.insert(chance.randrange(1, 9), start[0])
    product = 10
    for digit in start:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return "".join(start) + str((11 - product) % 10)


def _fiscal_it(chance: random.Random) -> str:
    code = f"RSSMRA{chance.randrange(50, 99)}C{chance.randrange(10, 28)}H501"
    odd = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)

    def place(char: str) -> int:
        return int(char) if char.isdigit() else ord(char) - 65

    total = sum(odd[place(char)] if at % 2 == 0 else place(char) for at, char in enumerate(code))
    return code + chr(65 + total % 26)


def _norway(chance: random.Random) -> str:
    while True:
        number = f"{chance.randrange(1, 29):02d}{chance.randrange(1, 13):02d}{chance.randrange(40, 99)}"
        number += f"{chance.randrange(0, 500):03d}"
        one = -_sum(number, (3, 7, 6, 1, 8, 9, 4, 5, 2)) % 11
        two = -_sum(number + str(one % 10), (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
        if one < 10 and two < 10:
            return f"{number}{one}{two}"


def _turkey(chance: random.Random) -> str:
    number = chance.choice("123456789") + _digits(chance, 8)
    tenth = (sum(map(int, number[::2])) * 7 - sum(map(int, number[1::2]))) % 10
    return f"{number}{tenth}{(sum(map(int, number)) + tenth) % 10}"


def _machine(chance: random.Random) -> str:
    """The two lines at the foot of a passport (ICAO 9303-4)."""

    def check(field: str) -> str:
        values = (0 if char == "<" else int(char, 36) for char in field)
        return str(sum(value * (7, 3, 1)[at % 3] for at, value in enumerate(values)) % 10)

    number, born = f"C{_digits(chance, 8)}", f"{chance.randrange(50, 99)}0{chance.randrange(1, 9)}12"
    fields = [number, born, "310815", "<" * 14]
    first, birth, end, rest = (field + check(field) for field in fields)
    last = f"{first}D<<{birth}F{end}{rest}"
    return "P<D<<HOLM<<KARLA<MARIE".ljust(44, "<") + "\n" + last + check(first + birth + end + rest)


def _date(chance: random.Random) -> str:
    return f"{chance.randrange(50, 99)}{chance.randrange(1, 13):02d}{chance.randrange(1, 29):02d}"


def _americas(chance: random.Random) -> Iterator[tuple[str, str]]:
    area = chance.choice([212, 317, 449, 561, 731])
    group, serial = chance.randrange(10, 99), chance.randrange(1000, 9999)
    yield "us-ssn", f"SSN: «{area}-{group}-{serial}»"
    yield "us-ssn", f"social security number «{area} {group} {serial}»"
    yield "us-itin", f"ITIN «9{_digits(chance, 2)}-7{_digits(chance, 1)}-{_digits(chance, 4)}»"
    sin = luhn(chance.choice("1234567") + _digits(chance, 7))
    yield "ca-sin", f"SIN (Social Insurance Number): «{sin[:3]} {sin[3:6]} {sin[6:]}»"
    cpf = _mod11(_digits(chance, 9))
    yield "br-cpf", f"CPF: «{cpf[:3]}.{cpf[3:6]}.{cpf[6:9]}-{cpf[9:]}»"
    rut = f"{chance.randrange(7, 25)}{_digits(chance, 6)}"
    rest = -_sum(rut[::-1], (2, 3, 4, 5, 6, 7, 2, 3)[: len(rut)]) % 11
    yield "cl-rut", f"RUT «{int(rut):,}-{'0123456789K'[rest]}»".replace(",", ".")


def _europe(chance: random.Random) -> Iterator[tuple[str, str]]:
    letters, born = "TRWAGMYFPDXBNJZSQVHLCKE", _date(chance)
    nino = chance.choice(["JG", "AB", "SX", "PE", "WK"]) + _digits(chance, 6) + chance.choice("ABCD")
    yield "uk-nino", f"National Insurance number: «{nino}»"
    yield "uk-nino", "NI no. «" + " ".join((nino[:2], nino[2:4], nino[4:6], nino[6:8], nino[8])) + "»"
    nhs = _until(chance, 10, (10, 9, 8, 7, 6, 5, 4, 3, 2, 1), "4679")
    yield "uk-nhs", f"NHS number «{nhs[:3]} {nhs[3:6]} {nhs[6:]}»"
    number = chance.randrange(10_000_000, 80_000_000)
    yield "es-dni", f"DNI: «{number}{letters[number % 23]}»"
    yield "es-nie", f"NIE «X{number % 10_000_000:07d}{letters[number % 10_000_000 % 23]}»"
    yield "it-cf", f"Codice fiscale: «{_fiscal_it(chance)}»"
    nir = f"2{born[:4]}75{_digits(chance, 6)}"
    yield "fr-nir", f"Numéro de sécurité sociale : «{nir}{97 - int(nir) % 97:02d}»"
    yield "de-tax", f"Steuer-ID: «{_tax_de(chance)}»"
    yield "nl-bsn", f"BSN: «{_until(chance, 9, (9, 8, 7, 6, 5, 4, 3, 2, -1))}»"
    nrn = born + f"{chance.randrange(1, 998):03d}"
    check = f"{97 - int(nrn) % 97:02d}"
    yield "be-nrn", f"Rijksregisternummer «{born[:2]}.{born[2:4]}.{born[4:]}-{nrn[6:]}.{check}»"
    pesel = born + _digits(chance, 4)
    yield "pl-pesel", f"PESEL: «{pesel}{-_sum(pesel, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10}»"
    swede = luhn(born + _digits(chance, 3))
    yield "se-pnr", f"Personnummer: «19{swede[:6]}-{swede[6:]}»"
    marks = "0123456789ABCDEFHJKLMNPRSTUVWXY"
    finn = born[4:] + born[2:4] + born[:2] + f"{chance.randrange(2, 899):03d}"
    yield "fi-hetu", f"Henkilötunnus «{finn[:6]}-{finn[6:]}{marks[int(finn) % 31]}»"
    yield "no-fnr", f"Fødselsnummer: «{_norway(chance)}»"
    yield "dk-cpr", f"CPR-nummer: «{finn[:6]}-{chance.choice('0123')}{_digits(chance, 3)}»"
    nif = "2" + _digits(chance, 7)
    rest = _sum(nif, range(9, 1, -1)) % 11
    yield "pt-nif", f"NIF: «{nif}{0 if rest < 2 else 11 - rest}»"


def _elsewhere(chance: random.Random) -> Iterator[tuple[str, str]]:
    born = _date(chance)
    aadhaar = _verhoeff(chance.choice("23456789") + _digits(chance, 10))
    yield "in-aadhaar", f"Aadhaar No: «{_fours(aadhaar)}»"
    yield "in-pan", f"PAN: «{''.join(chance.choices(string.ascii_uppercase, k=3))}PK{_digits(chance, 4)}L»"
    china = f"11010519{born}{_digits(chance, 3)}"
    rest = _sum(china, (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)) % 11
    yield "cn-id", f"身份证号:«{china}{'10X98765432'[rest]}»"
    korea = f"{born}{chance.choice('12')}{_digits(chance, 5)}"
    check = (11 - _sum(korea, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11) % 10
    yield "kr-rrn", f"주민등록번호: «{korea[:6]}-{korea[6:]}{check}»"
    tfn = _until(chance, 9, (1, 4, 3, 7, 5, 8, 6, 9, 10))
    yield "au-tfn", f"TFN: «{tfn[:3]} {tfn[3:6]} {tfn[6:]}»"
    yield "za-id", f"ID number (South Africa): «{luhn(born + _digits(chance, 4) + '08')}»"
    yield "tr-tc", f"TC Kimlik No: «{_turkey(chance)}»"
    yield "passport-lines", f"«{_machine(chance)}»"
    octets = [chance.choice([81, 93, 109, 146, 188, 217]), *(chance.randrange(1, 255) for _ in range(3))]
    address = ".".join(map(str, octets))
    yield "ipv4", address
    yield "ipv4", f'«{address}» - - [11/Feb/2026:08:14:02 +0100] "GET /cart HTTP/1.1" 200 512'


def _turn(number: int) -> Iterator[tuple[str, str]]:
    chance = random.Random(number)
    for kinds in (_cards, _accounts, _americas, _europe, _elsewhere):
        yield from kinds(chance)


PII: tuple[tuple[str, str], ...] = (
    *_MAIL,
    *((f"phone-{country}", text) for country, text in _PHONES),
    *(entry for number in range(3) for entry in _turn(number)),
)
"""(Kind, template); numbers with check digits stand three times, each time another."""
