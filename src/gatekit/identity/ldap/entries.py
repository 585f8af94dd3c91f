"""What a directory says about one entry, as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from gatekit.identity.ldap.filters import escaped, octets

GUIDS = frozenset({"objectguid"})
"""Attributes that hold a GUID in Microsoft's mixed byte order (MS-DTYP §2.3.4.2)."""

NEVER_SHOWN = frozenset(
    {"userpassword", "unicodepwd", "sambantpassword", "sambalmpassword", "krbprincipalkey"}
)
"""Never handed on, whatever the access rules of the directory let us read."""

MAX_VALUES = 1000
MAX_TEXT = 4096

_DISABLED_FLAG = 0x2
"""ADS_UF_ACCOUNTDISABLE of userAccountControl (MS-ADTS §2.2.16)."""
_NEVER = frozenset({0, 0x7FFF_FFFF_FFFF_FFFF})
_EPOCH_1601 = 11_644_473_600
_LOCKED_FOR_EVER = "000001010000Z"
"""pwdAccountLockedTime of an account that only an administrator may unlock
(draft-behera-ldap-password-policy §5.3.3)."""


class Entry(Struct, frozen=True):
    """``attributes``: by name in lower case, the values as octets."""

    dn: str
    attributes: Mapping[str, Sequence[bytes]]

    def first(self, name: str) -> str:
        """The only or first value as text; empty if there is none or it is not text."""
        values = self.attributes.get(name.lower(), ())
        return _text(values[0]) if values else ""

    def texts(self, name: str) -> tuple[str, ...]:
        values = (_text(value) for value in self.attributes.get(name.lower(), ())[:MAX_VALUES])
        return tuple(value for value in values if value)

    def every(self) -> dict[str, tuple[str, ...]]:
        """Everything that is text, for mapping rules; no password of any kind."""
        return {
            name: texts for name in self.attributes if name not in NEVER_SHOWN and (texts := self.texts(name))
        }


def subject_of(entry: Entry, attribute: str) -> str:
    """The unchanging id as text; empty if the entry has not exactly one."""
    values = entry.attributes.get(attribute.lower(), ())
    if len(values) != 1:
        return ""
    if attribute.lower() in GUIDS:
        return _guid_text(values[0]) if len(values[0]) == 16 else ""
    return _text(values[0])


def subject_filter(attribute: str, subject: str) -> str:
    """The search that finds the entry of ``subject`` again. Raises ``ValueError`` for what is no GUID."""
    if attribute.lower() in GUIDS:
        return f"({attribute}={octets(_guid_octets(subject))})"
    return f"({attribute}={escaped(subject)})"


def why_disabled(entry: Entry, now: float) -> str:
    """Why the directory itself would not let this person in; empty if nothing is known against it.

    A bind tells most of this too, but nobody binds when a token is refreshed.
    """
    control = _number(entry.first("userAccountControl"))
    if control is not None and control & _DISABLED_FLAG:
        return "disabled (userAccountControl)"
    expires = _number(entry.first("accountExpires"))
    if expires is not None and expires not in _NEVER and expires / 10_000_000 - _EPOCH_1601 <= now:
        return "expired (accountExpires)"
    if entry.first("nsAccountLock").lower() == "true":
        return "locked (nsAccountLock)"
    if entry.first("pwdAccountLockedTime") == _LOCKED_FOR_EVER:
        return "locked (pwdAccountLockedTime)"
    return ""


STATE_ATTRIBUTES = ("userAccountControl", "accountExpires", "nsAccountLock", "pwdAccountLockedTime")


def _guid_text(value: bytes) -> str:
    return "-".join(part.hex() for part in _swapped(value))


def _guid_octets(text: str) -> bytes:
    value = bytes.fromhex(text.replace("-", ""))
    if len(value) != 16:
        raise ValueError(f"{text!r} is no GUID")
    return b"".join(_swapped(value))


def _swapped(value: bytes) -> tuple[bytes, ...]:
    """The five parts of a GUID, the first three with their octets turned round."""
    return value[3::-1], value[5:3:-1], value[7:5:-1], value[8:10], value[10:]


def _number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def _text(value: bytes) -> str:
    """Empty for what is no text or far too much of it."""
    if len(value) > MAX_TEXT:
        return ""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return ""
    return text if "\0" not in text else ""
