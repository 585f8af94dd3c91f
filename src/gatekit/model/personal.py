"""Values that differ from person to person: ``${user:email}`` in the environment of a server.

Only what the operator or the identity provider vouches for can be named; what people choose for themselves
(a display name, an address that nobody has verified) and what a client says of itself cannot.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import ClassVar

from msgspec import Struct

from gatekit.model.people import Principal

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_MAX_VALUE = 4096


class Attribute(Struct, frozen=True):
    """``${user:name}`` or ``${user:name:-default}``."""

    name: str
    default: str | None = None

    KNOWN: ClassVar[dict[str, Callable[[Principal], str]]] = {
        "id": lambda person: person.id,
        "name": lambda person: person.username,
        "login": lambda person: person.login,
        "email": lambda person: (person.email or "") if person.email_verified else "",
        "subject": lambda person: person.subject,
        "connection": lambda person: person.connection,
        "groups": lambda person: ",".join(sorted(person.groups)),
    }
    """What may be named, and where it comes from; an empty text stands for "does not have one"."""

    def of(self, person: Principal | None) -> str:
        """The person's own value, empty if there is none."""
        return self.KNOWN[self.name](person) if person is not None else ""

    def written(self) -> str:
        """As it stands in the file."""
        return f"${{user:{self.name}}}" if self.default is None else f"${{user:{self.name}:-{self.default}}}"


Template = tuple[str | Attribute, ...]
"""Texts and attributes, to be joined."""
Templates = tuple[tuple[str, Template], ...]
"""By name of the variable."""


class Filled(Struct, frozen=True):
    """The variables of one person."""

    env: dict[str, str]

    def __repr__(self) -> str:
        """Without the values: a repr ends up in logs and tracebacks."""
        return f"Filled({', '.join(self.env)})"


class Lacking(Struct, frozen=True):
    """The person has no such attribute, or one that cannot be put into an environment."""

    variable: str
    attribute: str
    reason: str


def fill(templates: Templates, person: Principal | None) -> Filled | Lacking:
    """Put the person's attributes in."""
    env: dict[str, str] = {}
    for variable, template in templates:
        words: list[str] = []
        for part in template:
            if isinstance(part, str):
                words.append(part)
                continue
            value = part.of(person) or part.default
            if value is None:
                return Lacking(variable, part.name, "the account has none")
            if _CONTROL.search(value) or len(value) > _MAX_VALUE:
                # No address or name holds one; whatever reads the variable may take a line break for an end.
                return Lacking(variable, part.name, "it holds control characters or is too long")
            words.append(value)
        env[variable] = "".join(words)
    return Filled(env)


def mark(templates: Templates, person: Principal) -> str:
    """Equal for equal values: a change of them means another instance. Does not show the values."""
    used = {part.name: part for _, template in templates for part in template if isinstance(part, Attribute)}
    values = repr(sorted((name, part.of(person)) for name, part in used.items()))
    return hashlib.sha256(f"{person.id}\0{values}".encode()).hexdigest()[:16]
