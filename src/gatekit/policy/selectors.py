"""Names of people in rules that are kept in the store."""

from __future__ import annotations

import re

from gatekit.errors import InvalidInput
from gatekit.model.rules import Anyone, ByEmail, ByGroup, ByLogin, ByProviderGroup, Selector

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_LOGIN = re.compile(r"[^\s:/*?,;<>\"']{1,255}")
_EMAIL = re.compile(r"[^\s@:/*?,;<>\"']{1,64}@[^\s@:/*?,;<>\"'_]{1,253}")
MAX_PROVIDER_GROUP = 256


def parse_selector(text: str) -> Selector:
    """An entry of a rule that is kept in the store. It always says where a name belongs to.

    ``ada@example.com`` a verified address · ``okta:ada`` a login at a connection · ``service:ci`` a service
    account · ``group:sre`` a group of our own · ``group:okta/Engineering`` a group of a provider. Everybody
    (``*``) is no rule: a list can say so where it is meant. Raises ``InvalidInput``.
    """
    entry = text.strip()
    prefix, colon, rest = (part.strip() for part in entry.partition(":"))
    folded = rest.lower() if rest.isascii() else rest
    if not colon and _EMAIL.fullmatch(entry):
        return ByEmail(entry.lower() if entry.isascii() else entry)
    if not colon or not _NAME.fullmatch(prefix) or not rest.isprintable():
        raise InvalidInput(
            f"{text!r} names nobody in particular; write CONNECTION:NAME, group:NAME, "
            "group:CONNECTION/NAME or an e-mail address"
        )
    if prefix == "group":
        connection, slash, name = rest.partition("/")
        if not slash and _NAME.fullmatch(rest):
            return ByGroup(rest)
        if slash and _NAME.fullmatch(connection) and 0 < len(name) <= MAX_PROVIDER_GROUP:
            return ByProviderGroup(connection, name.lower() if name.isascii() else name)
        raise InvalidInput(f"{text!r} is not a group: write group:NAME or group:CONNECTION/NAME")
    if not _LOGIN.fullmatch(rest):
        raise InvalidInput(f"{text!r}: {rest!r} is not a login (patterns are not possible here)")
    return ByLogin(prefix, folded)


def spelled(selector: Selector) -> str:
    """As it may be written, always saying where the name belongs to."""
    if isinstance(selector, Anyone):
        return "*"
    if isinstance(selector, ByEmail):
        return selector.address
    if isinstance(selector, ByGroup):
        return f"group:{selector.name}"
    if isinstance(selector, ByLogin):
        return f"{selector.connection}:{selector.login}"
    return f"group:{selector.connection}/{selector.name}"
