"""Search filters with strangers' text in them (RFC 4515 §3, RFC 4514 §2.4)."""

from __future__ import annotations

from gatekit.identity.names import canonical_username

MAX_LOGIN = 256
_SPECIAL = frozenset(b"\\*()\0")


def escaped(value: str | bytes) -> str:
    """As an assertion value: every octet that is not plain ASCII text, or has a meaning, as ``\\xx``."""
    octets = value.encode() if isinstance(value, str) else value
    return "".join(
        chr(octet) if 0x20 <= octet < 0x7F and octet not in _SPECIAL else f"\\{octet:02x}" for octet in octets
    )


def octets(value: bytes) -> str:
    """As an assertion value of a binary attribute: every octet as ``\\xx``."""
    return "".join(f"\\{octet:02x}" for octet in value)


def canonical_login(text: str) -> str | None:
    """One spelling for each name, so that guesses and people are counted once (checklist U5); None for what
    cannot be anybody's name: nothing, too much, or control characters."""
    if len(text) > MAX_LOGIN:
        return None
    login = canonical_username(text)
    if not login or not login.isprintable():
        return None
    return login


def filled(template: str, *, login: str = "", dn: str = "") -> str:
    """The operator's filter with the values in their places, each escaped, in one pass: a login of ``{dn}``
    stays text."""
    values = {"{login}": escaped(login), "{dn}": escaped(dn)}
    parts, rest = [], template
    while rest:
        places = [(rest.find(mark), mark) for mark in values if mark in rest]
        if not places:
            break
        at, mark = min(places)
        parts += [rest[:at], values[mark]]
        rest = rest[at + len(mark) :]
    return "".join(parts) + rest
