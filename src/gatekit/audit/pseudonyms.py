"""Records about people who asked to be forgotten, as they are shown.

The files are a chain of hashes: a name cannot be taken out of them without breaking the proof that nothing
else was. So it stays in the files until they are removed, and everything that shows records covers it. What
is kept to do that are salted hashes of what the person was called, and no name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from gatekit.model.people import Pseudonym

SALT = "audit.pseudonyms.salt"
"""Name of the setting that holds the salt."""

REMOVED = "(removed)"

_WORD = re.compile(r"\w(?:[\w.@+:|'-]*\w)?")
_KEPT = frozenset({"event", "at", "seq", "writer", "prev", "hash", "principal_id", "request_id", "action"})
"""Fields that name nobody."""
_ABOUT = ("before", "after", "reason", "detail")
"""Texts that describe whoever a record is about."""


def digest(salt: str, name: str) -> str:
    """How a name is kept and recognised."""
    return sha256(f"{salt}\0{name.casefold()}".encode()).hexdigest()


class Covers:
    """Pseudonyms, ready to be put in the place of names."""

    def __init__(self, pseudonyms: Iterable[Pseudonym], salt: str) -> None:
        self._salt = salt
        self._ids: dict[str, Pseudonym] = {}
        self._names: dict[str, Pseudonym] = {}
        self._shown: dict[str, str] = {}
        for one in pseudonyms:
            self._ids[one.user_id] = one
            self._shown[one.name] = one.user_id
            self._names.update(dict.fromkeys(one.digests, one))

    def asked(self, user: str | None) -> str | None:
        """What to look for when somebody asks for records of ``user``.

        A pseudonym finds its records. A name that was covered finds nobody: whoever knows it must not learn
        which pseudonym it became.
        """
        if user is None or not self._ids:
            return user
        if user in self._shown:
            return self._shown[user]
        return "\0" if digest(self._salt, user) in self._names else user

    def cover(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """A record as it may be shown. The same one if it is about nobody who is covered."""
        if not self._ids:
            return dict(fields)
        at = float(fields.get("at", 0.0))
        by = self._ids.get(str(fields.get("principal_id", "")))
        shown = {name: self._covered(name, value, at) for name, value in fields.items()}
        if by is not None:
            if "principal" in shown:
                shown["principal"] = by.name
            shown.pop("address", None)
        about = any(shown[name] != fields[name] for name in ("target", "owner", "subject") if name in fields)
        if by is not None or about:
            # Full names have several words, and any of them may be somebody's.
            shown |= {name: REMOVED for name in _ABOUT if shown.get(name) and fields["event"] == "admin"}
        return shown

    def _covered(self, name: str, value: Any, at: float) -> Any:
        if name in _KEPT or not isinstance(value, str):
            return value
        return _WORD.sub(lambda found: self._word(found[0], at), value)

    def _word(self, word: str, at: float) -> str:
        one = self._names.get(digest(self._salt, word))
        # Whoever has the name later is somebody else.
        return one.name if one is not None and at <= one.created_at + 1 else word
