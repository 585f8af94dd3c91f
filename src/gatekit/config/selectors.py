"""Access lists: one string per entry, as ``gatekit.model.rules`` describes them, to selectors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from gatekit.config import document as doc
from gatekit.config.faults import nearest
from gatekit.model.people import LOCAL, SERVICE, SERVICE_ACCOUNT
from gatekit.model.rules import AccessList, Anyone, ByEmail, ByGroup, ByLogin, ByProviderGroup, Selector

Bare = Literal["person", "group"]
"""What an entry without prefix and without ``@`` names: depends on the key it stands under."""

GROUP_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_LOGIN = re.compile(r"[^\s:/*?,;<>\"']{1,255}")
_EMAIL = re.compile(r"[^\s@:/*?,;<>\"']{1,64}@[^\s@:/*?,;<>\"'_]{1,253}")
_KEYS: tuple[tuple[str, Bare], ...] = (
    ("allowed_users", "person"),
    ("allowed_groups", "group"),
    ("users", "group"),
)


class Selectors:
    """Parses entries against the connections that the file declares."""

    def __init__(
        self,
        document: doc.Document,
        connections: Sequence[str],
        default: str | None,
        groups: Sequence[str],
        issuers: Sequence[str] = (),
        services: Sequence[str] = (),
    ) -> None:
        """``issuers``: connections whose names for people may look like addresses, and that know groups
        instead of organisations: all but our own and GitHub's. ``services``: ids of the clients that act for
        themselves."""
        self._document = document
        self._issuers = frozenset(issuers)
        self._connections = tuple(dict.fromkeys((*connections, *issuers)))
        self._default = default
        """Connection of bare names; None when that would be a guess."""
        self._groups = frozenset(groups)
        self._services = frozenset(ident.lower() for ident in services)

    def access(self, section: object, path: doc.Path) -> AccessList:
        """The union of ``allowed_users``, ``allowed_groups`` and ``users``; None when none is written."""
        written = [(key, bare, getattr(section, key)) for key, bare in _KEYS]
        if all(entries is None for _, _, entries in written):
            return None
        found: list[Selector] = []
        for key, bare, entries in written:
            found.extend(self.many(entries or (), (*path, key), bare))
        return tuple(dict.fromkeys(found))

    def many(self, entries: Sequence[str], path: doc.Path, bare: Bare = "person") -> tuple[Selector, ...]:
        parsed = (self.one(entry, (*path, index), bare) for index, entry in enumerate(entries))
        return tuple(selector for selector in parsed if selector is not None)

    def one(self, entry: str, path: doc.Path, bare: Bare) -> Selector | None:
        """One entry; None (and a fault) if it names nobody that could exist."""
        text = entry.strip()
        if text == "*":
            return Anyone()
        if not text or not text.isprintable():
            self._document.fault(path, "names nobody")
            return None
        prefix, colon, rest = text.partition(":")
        if colon:
            return self._prefixed(prefix.strip(), rest.strip(), path)
        if "@" in text:
            return self._email(text, path, bare)
        return self._group(text, path) if bare == "group" else self._login(self._default, text, path)

    def _prefixed(self, prefix: str, rest: str, path: doc.Path) -> Selector | None:
        if prefix == "group":
            connection, slash, name = rest.partition("/")
            if slash and connection in self._connections:
                return self._asserted_group(connection, name, path)
            return self._group(rest, path)
        if prefix == SERVICE_ACCOUNT:
            return self._login(SERVICE_ACCOUNT, rest, path)
        if prefix in ("org", "team"):
            return self._provider_group(self._only_provider(prefix, path), prefix, rest, path)
        if prefix == SERVICE:
            return self._service(rest, path)
        if prefix in self._connections:
            inner, colon, name = rest.partition(":")
            if colon and inner == "group" and prefix in self._issuers:
                return self._asserted_group(prefix, name.strip(), path)
            if colon and inner in ("org", "team"):
                return self._provider_group(prefix, inner, name.strip(), path)
            return self._login(prefix, rest, path)
        known = [*self._connections, "group", "org", "team", SERVICE, SERVICE_ACCOUNT]
        text = f"unknown prefix '{prefix}:'{nearest(prefix, known)}; known here: "
        self._document.fault(path, text + ", ".join(f"{name}:" for name in known))
        return None

    def _service(self, ident: str, path: doc.Path) -> Selector | None:
        """A client that acts for itself. Only the file makes them, so a name that is not there is a slip."""
        if ident.lower() in self._services:
            return ByLogin(SERVICE, ident.lower())
        text = f"no client '{ident}' that acts for itself stands under proxy.auth.clients"
        self._document.fault(path, text + nearest(ident, self._services))
        return None

    def _email(self, text: str, path: doc.Path, bare: Bare) -> Selector | None:
        if bare == "group" and path[-2] == "allowed_groups":
            self._document.fault(path, "is a person; write it under allowed_users")
            return None
        if not _EMAIL.fullmatch(text):
            self._document.fault(path, "is not an e-mail address")
            return None
        return ByEmail(text.lower() if text.isascii() else text)

    def _login(self, connection: str | None, text: str, path: doc.Path) -> Selector | None:
        if connection is None:
            names = " or ".join(f"{name}:{text}" for name in self._connections)
            self._document.fault(path, f"which connection? There are several, write {names}")
            return None
        # Where a username may look like an address it is one; at GitHub it is a mistake.
        if not _LOGIN.fullmatch(text) or ("@" in text and connection not in (LOCAL, *self._issuers)):
            self._document.fault(path, f"'{text}' is not a username (patterns are not possible here)")
            return None
        return ByLogin(connection, text.lower() if text.isascii() else text)

    def _group(self, name: str, path: doc.Path) -> Selector | None:
        if not GROUP_NAME.fullmatch(name):
            self._document.fault(path, f"'{name}' is not a group name (letters, digits, _ . -)")
            return None
        if name not in self._groups:
            close = nearest(name, self._groups)
            text = f"the group '{name}' is not declared under groups{close}"
            self._document.note(
                path, f"{text}; it counts only if the store has it (`gatekit groups create {name}`)"
            )
        return ByGroup(name)

    def _provider_group(
        self, connection: str | None, kind: str, name: str, path: doc.Path
    ) -> Selector | None:
        if connection is None:
            return None
        if connection == LOCAL:
            self._document.fault(path, "local accounts have no organisations or teams; use groups")
            return None
        parts = name.split("/")
        if len(parts) != (2 if kind == "team" else 1) or not all(map(_LOGIN.fullmatch, parts)):
            shape = "team:ORGANISATION/TEAM" if kind == "team" else "org:ORGANISATION"
            self._document.fault(path, f"expected {shape}")
            return None
        return ByProviderGroup(connection, name.lower() if name.isascii() else name)

    def _asserted_group(self, connection: str, name: str, path: doc.Path) -> Selector | None:
        """A group as another issuer writes it: ``/acme/eng``, ``Domain Users`` …"""
        if not name or len(name) > 256 or not name.isprintable():
            self._document.fault(path, f"expected {connection}:group:NAME")
            return None
        return ByProviderGroup(connection, name.lower() if name.isascii() else name)

    def _only_provider(self, prefix: str, path: doc.Path) -> str | None:
        others = [name for name in self._connections if name not in (LOCAL, *self._issuers)]
        if len(others) == 1:
            return others[0]
        if others:
            names = " or ".join(f"{name}:{prefix}:…" for name in others)
            self._document.fault(path, f"which connection? There are several, write {names}")
        else:
            self._document.fault(path, "no configured provider knows organisations or teams")
        return None
