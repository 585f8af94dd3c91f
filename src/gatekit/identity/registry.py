"""The connections that are in force now: those of the file and those that an admin added.

Providers are made when somebody first asks for them and contact nobody by that. A change replaces the set;
a connection that did not change keeps its provider, and with it what that learned about keys and addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from gatekit.identity.ports import Noticing, PasswordProvider, Recheck, RedirectProvider
from gatekit.identity.rules import domain_of
from gatekit.model.connections import PASSWORD_KINDS, ConnectionRules, Kind, Provisioning
from gatekit.model.people import LOCAL

Provider = TypeVar("Provider", RedirectProvider, PasswordProvider)

DIRECTORY_RECHECK = 300.0
"""Seconds between two questions at a directory, which can be asked without the person's doing."""

_LEARNING: frozenset[Kind] = frozenset(("google", "entra", "okta", "oidc", "saml", "ldap"))
"""Kinds whose provider learns something. Others are made anew at each change: what GitHub is asked for
depends on the rules of the whole file."""

_UNKNOWN = ConnectionRules(enabled=False, create=False)
"""Of a connection that is not there: nothing is allowed."""


class Definition(Protocol):
    """What every connection has: ``config.model.Connection``."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def rules(self) -> ConnectionRules: ...


class Connections:
    """By name. ``providers`` and ``passwords`` are live views: whoever holds them sees every change."""

    def __init__(
        self,
        redirect: Callable[[Any], RedirectProvider],
        password: Callable[[Any], PasswordProvider],
    ) -> None:
        """Each makes the provider of one definition of the kinds that are its own."""
        self._all: dict[str, Definition] = {}
        self.providers: _Made[RedirectProvider] = _Made(redirect)
        """What a browser is sent to; only connections that are enabled."""
        self.passwords: _Made[PasswordProvider] = _Made(password)
        """What takes a password in a form of ours; only connections that are enabled."""

    def replace(self, definitions: Iterable[Definition]) -> None:
        """These are the connections from now on. Of one name the first counts."""
        self._all = {}
        for definition in definitions:
            self._all.setdefault(definition.name, definition)
        enabled = [definition for definition in self._all.values() if definition.rules.enabled]
        self.passwords.replace(entry for entry in enabled if entry.kind in PASSWORD_KINDS)
        self.providers.replace(entry for entry in enabled if entry.kind not in PASSWORD_KINDS)

    def rules(self, name: str) -> ConnectionRules:
        found = self._all.get(name)
        return found.rules if found is not None else _UNKNOWN

    def definition(self, name: str) -> Definition | None:
        """Also of a connection that is disabled."""
        return self._all.get(name)

    def provisioned(self) -> Mapping[str, Provisioning]:
        """By name: what is said of those over which a provider may keep people here (SCIM)."""
        return {
            name: definition.rules.provisioning
            for name, definition in self._all.items()
            if definition.rules.enabled and definition.rules.provisioning is not None and name != LOCAL
        }

    def notices(self) -> list[tuple[str, str]]:
        """Connection and what ends soon there, of those that are enabled."""
        return [
            (name, line)
            for name, provider in self.providers.items()
            if isinstance(provider, Noticing)
            for line in provider.notices()
        ]

    def key_sets(self) -> Sequence[str]:
        """Addresses that connections name as those of their transmitters' keys."""
        signals = [definition.rules.signals for definition in self._all.values()]
        return [one.jwks_uri for one in signals if one is not None]

    def home(self, address: str) -> str:
        """The connection that an e-mail address belongs to by its domain; empty: none. Says nothing about
        whether there is such a person."""
        domain = domain_of(address.strip())
        for name, definition in self._all.items():
            if domain and definition.rules.enabled and domain in definition.rules.domains:
                return name
        return ""

    @property
    def has_homes(self) -> bool:
        """Whether it is of any use to ask for an address."""
        return any(entry.rules.enabled and entry.rules.domains for entry in self._all.values())

    def recheck(self, name: str) -> tuple[Recheck, float] | None:
        """Whom to ask whether somebody still counts, and how many seconds one answer is good for."""
        definition = self._all.get(name)
        provider: object = self.providers.get(name) or self.passwords.get(name)
        every = getattr(definition, "recheck", DIRECTORY_RECHECK)
        if not every or not isinstance(provider, Recheck):
            return None
        return provider, every


class _Made(Mapping[str, Provider]):
    """Providers by name, each made when it is first asked for."""

    def __init__(self, make: Callable[[Any], Provider]) -> None:
        self._make: Callable[[Any], Provider] = make
        self._definitions: dict[str, Definition] = {}
        self._made: dict[str, Provider] = {}

    def replace(self, definitions: Iterable[Definition]) -> None:
        before, self._definitions = self._definitions, {entry.name: entry for entry in definitions}
        self._made = {
            name: provider
            for name, provider in self._made.items()
            if self._definitions.get(name) == before[name] and before[name].kind in _LEARNING
        }

    def __getitem__(self, name: str) -> Provider:
        if name not in self._made:
            self._made[name] = self._make(self._definitions[name])
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._definitions)

    def __len__(self) -> int:
        return len(self._definitions)

    def __contains__(self, name: object) -> bool:
        return name in self._definitions
