"""Second held-out corpus: people's data as it stands in mails, forms, exports and logs of many countries."""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.support.guards.held_out_second_numbers import (
    Made,
    aadhaar,
    australia,
    austria,
    baltic,
    card,
    croatia,
    curp,
    czechia,
    day,
    digits,
    fixed,
    hong_kong,
    iban,
    identity_card,
    inn,
    ireland,
    licence,
    luhn,
    medicare,
    pension,
    singapore,
    snils,
    switzerland,
    taiwan,
    tax_file,
    until,
    weighed,
)
from tests.support.guards.held_out_second_people import PEOPLE

TURNS = 4
"""How many people there are of each kind; each has numbers of their own."""

_Row = tuple[str, Made, str, str, str]
"""(Kind, its numbers, a sentence of the country, what a form calls it, its name in an export)."""


def _cuit(chance: random.Random) -> str:
    made = until(fixed("20", 8), lambda text: -weighed(text, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11)(chance)
    return f"{made[:2]}-{made[2:10]}-{made[10]}"


def _romania(chance: random.Random) -> str:
    start = f"{chance.choice('12')}{day(chance)}{chance.randrange(1, 47):02d}{digits(chance, 3)}"
    rest = weighed(start, (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)) % 11
    return start + ("1" if rest == 10 else str(rest))


def _korea(chance: random.Random) -> str:
    def check(text: str) -> int:
        return (11 - weighed(text, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11) % 10

    made = until(
        lambda each: f"{day(each)}{each.choice('12')}{each.randrange(96):02d}{digits(each, 3)}", check
    )(chance)
    return f"{made[:6]}-{made[6:]}"


def _china(chance: random.Random) -> str:
    start = f"310104{19}{day(chance)}{digits(chance, 3)}"
    return start + "10X98765432"[weighed(start, (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)) % 11]


def _spain(chance: random.Random) -> str:
    number = digits(chance, 8)
    return number + "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23]


def _france(chance: random.Random) -> str:
    start = f"{chance.choice('12')}{day(chance, 'ym')}69{chance.randrange(1, 400):03d}{digits(chance, 3)}"
    groups = (start[0], start[1:3], start[3:5], start[5:7], start[7:10], start[10:])
    return " ".join((*groups, f"{97 - int(start) % 97:02d}"))


def _brazil(chance: random.Random) -> str:
    number = digits(chance, 9)
    for size in (10, 11):
        number += str(weighed(number, range(size, 1, -1)) * 10 % 11 % 10)
    return f"{number[:3]}.{number[3:6]}.{number[6:9]}-{number[9:]}"


def _britain(chance: random.Random) -> str:
    start = chance.choice(["CE", "HN", "LB", "RA", "YZ"])
    return f"{start} {digits(chance, 2)} {digits(chance, 2)} {digits(chance, 2)} {chance.choice('ABCD')}"


def _emirates(chance: random.Random) -> str:
    number = luhn(f"7841{9}{day(chance, 'y')}{digits(chance, 7)}")
    return f"{number[:3]}-{number[3:7]}-{number[7:14]}-{number[14]}"


_NHS = until(fixed("4", 8), lambda text: -weighed(text, range(10, 1, -1)) % 11)
_PESEL = until(
    lambda chance: day(chance) + digits(chance, 4),
    lambda text: -weighed(text, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10,
)
_BSN = until(fixed("1", 7), lambda text: weighed(text, range(9, 1, -1)) % 11)
_NIF = until(fixed("2", 7), lambda text: max(0, (-weighed(text, range(9, 1, -1)) % 11) % 10))
_BULGARIA = until(
    lambda chance: day(chance) + digits(chance, 3),
    lambda text: weighed(text, (2, 4, 8, 5, 10, 9, 7, 3, 6)) % 11 % 10,
)
_SERBIA = until(
    lambda chance: f"{day(chance, 'dm')}9{day(chance, 'y')}71{digits(chance, 3)}",
    lambda text: -weighed(text, (7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11,
)
_JAPAN = until(
    lambda chance: chance.choice("123456789") + digits(chance, 10),
    lambda text: -weighed(text, (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11 % 10,
)
_THAILAND = until(fixed("1", 11), lambda text: (11 - weighed(text, range(13, 1, -1)) % 11) % 10)
_HUNGARY = until(fixed("1", 7), lambda text: weighed(text, (3, 7) * 4) % 10)

_CARDS: tuple[_Row, ...] = (
    ("card-visa", card("4"), "Bitte buchen Sie von meiner Visa §V ab.", "Card number", "card_number"),
    ("card-visa", card("4", mark=" "), "Please charge my Visa §V, expiry 11/28.", "Visa", "pan"),
    (
        "card-mastercard",
        card("52", "54", mark="-"),
        "Paguei com o Mastercard §V ontem.",
        "Mastercard",
        "cardNumber",
    ),
    (
        "card-mastercard",
        card("2225", "2690"),
        "Ma carte §V a été débitée deux fois.",
        "Credit card",
        "number",
    ),
    (
        "card-amex",
        card("34", "37", size=15, mark=" "),
        "My Amex §V was declined.",
        "American Express",
        "card",
    ),
    ("card-amex", card("34", "37", size=15), "Amex ending soon: §V", "Amex number", "card_no"),
    ("card-discover", card("6011", "65", mark=" "), "I'd rather use Discover §V.", "Discover card", "card"),
    ("card-diners", card("36", "38", size=14, mark=" "), "Diners Club: §V", "Diners Club", "card_number"),
    ("card-jcb", card("3530", "3566", mark=" "), "JCBカード番号:§V", "JCB card", "card_number"),
    ("card-unionpay", card("6212", "6227", mark=" "), "银行卡号:§V", "UnionPay card", "bank_card"),
    (
        "card-maestro",
        card("6761", "6763"),
        "Betaald met Maestro-kaart §V",
        "Debit card number",
        "card_number",
    ),
)

_ACCOUNTS: tuple[_Row, ...] = (
    ("iban-de", iban("DE", "0" * 18), "Überweisen Sie bitte auf §V.", "IBAN", "iban"),
    ("iban-de", iban("DE", "0" * 18, False), "Konto §V, Inhaberin Anke Möller", "IBAN", "account"),
    ("iban-fr", iban("FR", "0" * 10 + "A" + "0" * 12), "Voici mon RIB : §V", "IBAN", "iban"),
    ("iban-es", iban("ES", "0" * 20), "El recibo se cargará en §V.", "Cuenta", "cuenta"),
    ("iban-it", iban("IT", "A" + "0" * 22, False), "Bonifico su §V entro venerdì", "IBAN", "iban"),
    ("iban-nl", iban("NL", "INGB" + "0" * 10), "Graag overmaken naar §V.", "Rekening", "iban"),
    ("iban-gb", iban("GB", "LOYD" + "0" * 14), "Please pay the deposit to §V.", "IBAN", "iban"),
    ("iban-ch", iban("CH", "0" * 17), "Zahlung bitte auf §V", "IBAN", "iban"),
    ("iban-at", iban("AT", "0" * 16), "Gutschrift auf §V", "IBAN", "iban"),
    ("iban-pl", iban("PL", "0" * 24), "Proszę o przelew na §V", "Konto", "iban"),
    ("iban-ro", iban("RO", "BTRL" + "0" * 16), "Plata în contul §V", "IBAN", "iban"),
    ("iban-gr", iban("GR", "0" * 23), "Λογαριασμός: §V", "IBAN", "iban"),
    ("iban-ae", iban("AE", "0" * 19, False), "Transfer to §V (Dubai)", "IBAN", "iban"),
    ("iban-sa", iban("SA", "80" + "0" * 18), "رقم الآيبان: §V", "IBAN", "iban"),
    ("iban-tr", iban("TR", "00010" + "0" + "0" * 16), "Havale için: §V", "IBAN", "iban"),
)

_IDS: tuple[_Row, ...] = (
    ("us-ssn", lambda c: f"{c.randrange(130, 600)}-{c.randrange(10, 99)}-{c.randrange(1000, 9999)}",
     "Her Social Security number is §V.", "SSN", "ssn"),
    ("us-medicare", medicare, "Medicare ID §V, effective 03/2024", "Medicare number", "mbi"),
    ("us-itin", lambda c: f"9{digits(c, 2)}-{c.choice(['71', '83', '92'])}-{digits(c, 4)}",
     "He files with ITIN §V.", "ITIN", "itin"),
    ("ca-sin", lambda c: luhn(c.choice("1257") + digits(c, 7)),
     "Mon numéro d'assurance sociale est le §V.", "SIN", "sin"),
    ("gb-nino", _britain, "My National Insurance number is §V.", "NI number", "nino"),
    ("gb-nhs", _NHS, "NHS number §V, GP Dr Walsh", "NHS no", "nhs_number"),
    ("gb-licence", licence, "Driving licence §V checked by Tom", "Driving licence no", "driving_licence"),
    ("de-id-card", identity_card, "Personalausweisnummer §V, gültig bis 2031", "Personalausweis-Nr.",
     "ausweisnummer"),
    ("de-pension", pension, "Sozialversicherungsnummer: §V", "SV-Nummer", "sozialversicherungsnummer"),
    ("fr-nir", _france, "N° de sécurité sociale : §V", "NIR", "numero_securite_sociale"),
    ("es-dni", _spain, "con DNI §V, domiciliada en Sevilla", "DNI", "dni"),
    ("nl-bsn", _BSN, "Burgerservicenummer §V staat op het loonstrookje", "BSN", "bsn"),
    ("pl-pesel", _PESEL, "numer PESEL §V, zamieszkała w Gdyni", "PESEL", "pesel"),
    ("pt-nif", _NIF, "contribuinte n.º (NIF) §V", "NIF", "nif"),
    ("at-svnr", austria, "Versicherungsnummer §V (ÖGK)", "SVNR", "svnr"),
    ("ch-ahv", switzerland, "AHV-Nummer §V gemäss Ausweis", "AHV-Nr.", "ahv_nummer"),
    ("ie-ppsn", ireland, "Her PPS number is §V.", "PPSN", "ppsn"),
    ("cz-rc", czechia, "rodné číslo §V, trvale bytem Brno", "Rodné číslo", "rodne_cislo"),
    ("hr-oib", croatia, "OIB: §V, Zagreb", "OIB", "oib"),
    ("ee-isikukood", until(lambda c: f"{c.choice('34')}{day(c)}{digits(c, 3)}", baltic), "Isikukood §V",
     "Isikukood",
     "isikukood"),
    ("lt-asmens-kodas", until(lambda c: f"{c.choice('34')}{day(c)}{digits(c, 3)}", baltic),
     "Asmens kodas: §V",
     "Asmens kodas", "asmens_kodas"),
    ("hu-taj", _HUNGARY, "TAJ szám: §V", "TAJ", "taj_szam"),
    ("ro-cnp", _romania, "având CNP §V, domiciliat în Cluj", "CNP", "cnp"),
    ("bg-egn", _BULGARIA, "ЕГН: §V, гр. София", "ЕГН", "egn"),
    ("gr-amka", lambda c: luhn(day(c, "dmy") + digits(c, 4)), "ΑΜΚΑ: §V", "ΑΜΚΑ", "amka"),
    ("rs-jmbg", _SERBIA, "JMBG §V, Beograd", "JMBG", "jmbg"),
    ("se-pnr", lambda c: "19{0[0]}{0[1]}{0[2]}{0[3]}{0[4]}{0[5]}-{0[6]}{0[7]}{0[8]}{0[9]}".format(
        luhn(day(c) + digits(c, 3))), "Personnummer §V enligt folkbokföringen", "Personnummer",
     "personnummer"),
    ("ru-snils", snils, "СНИЛС §V", "СНИЛС", "snils"),
    ("ru-inn", inn, "ИНН физического лица: §V", "ИНН", "inn"),
    ("br-cpf", _brazil, "portador do CPF §V", "CPF", "cpf"),
    ("ar-cuit", _cuit, "CUIT del titular: §V", "CUIT/CUIL", "cuil"),
    ("mx-curp", curp, "mi CURP es §V", "CURP", "curp"),
    ("in-aadhaar", aadhaar, "My Aadhaar number is §V", "Aadhaar", "aadhaar_number"),
    ("in-pan",
     lambda c: "".join(c.choices("ABCDEGHKLMN", k=3)) + f"PK{digits(c, 4)}{c.choice('ABFH')}",
     "PAN card §V attached for KYC", "PAN", "pan_number"),
    ("cn-id", _china, "公民身份号码 §V", "身份证号", "id_card"),
    ("kr-rrn", _korea, "주민번호 §V 확인 부탁드립니다", "주민등록번호", "resident_number"),
    ("jp-my-number", _JAPAN, "マイナンバーは§Vです", "マイナンバー", "my_number"),
    ("sg-nric", singapore, "Her NRIC is §V.", "NRIC", "nric"),
    ("hk-id", hong_kong, "香港身份證號碼:§V", "HKID", "hkid"),
    ("tw-id", taiwan, "身分證字號:§V", "身分證字號", "national_id"),
    ("th-id", _THAILAND, "เลขบัตรประชาชน §V", "เลขประจำตัวประชาชน", "citizen_id"),
    ("au-tfn", tax_file, "My tax file number is §V.", "TFN", "tfn"),
    ("au-medicare", australia, "Medicare card §V, valid to 08/2028", "Medicare card number",
     "medicare_number"),
    ("il-id", lambda c: luhn(c.choice("023") + digits(c, 7)), "מספר תעודת זהות: §V", "תעודת זהות",
     "teudat_zehut"),
    ("ae-emirates", _emirates, "Emirates ID §V, copy attached", "Emirates ID", "emirates_id"),
    ("za-id", lambda c: luhn(f"{day(c)}{digits(c, 4)}08"), "South African ID number §V", "RSA ID number",
     "id_number"),
)  # fmt: skip

_FORMS = (
    "Applicant: {name}\n{label}: «{value}»\nStatus: open\n",
    '{{"id": {serial}, "full_name": "{name}", "{field}": "«{value}»", "active": true}}',
    "| {name} | {label} | «{value}» |",
)


def _stated(rows: tuple[_Row, ...], seed: int) -> Iterator[tuple[str, str]]:
    chance = random.Random(seed)
    names = ("Ines Vidal", "Oskar Brandt", "Mei Tanaka", "Lerato Nkosi", "Tomás Herrera", "Petra Novak")
    for _ in range(TURNS):
        for kind, made, sentence, label, field in rows:
            yield kind, sentence.replace("§V", f"«{made(chance)}»")
            name, form = chance.choice(names), chance.choice(_FORMS)
            value, serial = made(chance), chance.randrange(1, 999)
            yield kind, form.format(name=name, label=label, value=value, field=field, serial=serial)
            yield (
                kind,
                f"Hello, my {label} was wrong in your file, it should be «{made(chance)}». Regards, {name}",
            )


PII: tuple[tuple[str, str], ...] = (
    *_stated(_CARDS, 71),
    *_stated(_ACCOUNTS, 72),
    *_stated(_IDS, 73),
    *(entry for _ in range(TURNS) for entry in PEOPLE),
)
"""(Kind, template); the numbers are in place already, ``«…»`` marks them."""
