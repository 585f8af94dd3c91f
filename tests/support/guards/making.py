"""Values in the shape that makers give them. ``{hex:40}`` is forty random hexadecimal digits."""

from __future__ import annotations

import base64
import json
import random
import re
import string
from collections.abc import Callable, Sequence

from msgspec import Struct

_ALPHABETS = {
    "alnum": string.ascii_letters + string.digits,
    "lower": string.ascii_lowercase + string.digits,
    "letters": string.ascii_letters,
    "upper": string.ascii_uppercase + string.digits,
    "base32": string.ascii_uppercase + "234567",
    "bech32": "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L",
    "hex": string.hexdigits[:16],
    "digit": string.digits,
    "url": string.ascii_letters + string.digits + "-_",
    "b64": string.ascii_letters + string.digits + "+/",
}
_HOLE = re.compile(r"\{([a-z0-9]+)(?::([0-9]+))?\}")


class Sample(Struct, frozen=True):
    """A text and what is to be found in it; nothing if ``secret`` is empty."""

    kind: str
    secret: str
    text: str


def filled(template: str, chance: random.Random) -> str:
    """The template with every hole filled."""

    def fill(match: re.Match[str]) -> str:
        name, size = match[1], int(match[2] or 0)
        if name == "uuid":
            digits = "".join(chance.choices("0123456789abcdef", k=32))
            return "-".join((digits[:8], digits[8:12], "4" + digits[13:16], "a" + digits[17:20], digits[20:]))
        if name == "jwtpart":
            body = {
                "iss": "".join(chance.choices(string.ascii_lowercase, k=8)),
                "iat": chance.randrange(2**31),
            }
            return base64.urlsafe_b64encode(json.dumps(body).encode()).decode().rstrip("=")
        if name == "jwthead":
            return base64.urlsafe_b64encode(b'{"alg":"RS256","typ":"JWT"}').decode().rstrip("=")
        return "".join(chance.choices(_ALPHABETS[name], k=size))

    return _HOLE.sub(fill, template)


Setting = Callable[[str, random.Random], str]

SETTINGS: tuple[Setting, ...] = (
    lambda value, chance: value,
    lambda value, chance: f"{chance.choice(['KEY', 'VALUE', 'X', 'CONFIG'])}={value}\n",
    lambda value, chance: json.dumps({"id": chance.randrange(99), "value": value, "ok": True}),
    lambda value, chance: f"settings:\n  region: eu-{chance.randrange(9)}\n  value: {value}\n",
    lambda value, chance: f"Hi, please use {value} until I get a new one. Thanks!",
    lambda value, chance: f'client = Client("{value}", timeout={chance.randrange(60)})\n',
    lambda value, chance: f"| name | value |\n|---|---|\n| live | `{value}` |\n",
    lambda value, chance: f"$ tool --with '{value}' --verbose\nok\n",
)
"""Where values stand: alone, in files, in sentences, in code."""


def samples(templates: Sequence[tuple[str, str]], seed: int, each: int) -> list[Sample]:
    """``each`` samples of every (kind, template); ``«…»`` in a template marks what is to be found."""
    chance = random.Random(seed)
    made: list[Sample] = []
    for kind, template in templates:
        for number in range(each):
            value = filled(template, chance)
            mark = re.search("«(.*?)»", value, re.DOTALL)
            secret = mark[1] if mark else value
            value = value.replace("«", "").replace("»", "")
            setting = (
                SETTINGS[(number + len(made)) % len(SETTINGS)]
                if mark is None and "\n" not in value
                else SETTINGS[0]
            )
            made.append(Sample(kind, secret, setting(value, chance)))
    return made
