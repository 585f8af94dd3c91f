"""From declared rules to an index.

Everybody is a set of *keys*, one for each way the rules can name a person; every access list becomes a set
of keys too, with the groups of the file already opened. Being on a list is then "the two sets meet".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import translate
from posixpath import normpath
from urllib.parse import unquote

from msgspec import Struct

from gatekit.model.people import LOCAL, ROLES, SERVICE, SERVICE_ACCOUNT, Principal, Role
from gatekit.model.rules import (
    AccessList,
    ByEmail,
    ByGroup,
    ByLogin,
    ByProviderGroup,
    NarrowedKind,
    Rules,
    Selector,
    ServerRules,
    ToolRule,
)

Key = tuple[str, ...]
Keys = frozenset[Key]

ANYONE: Key = ("anyone",)

_SLASHES = re.compile("/+")
_ASCII_UPPER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def fold(text: str) -> str:
    """Lower case for A–Z only.

    ``str.lower`` maps characters outside ASCII onto ASCII letters (the Kelvin sign becomes ``k``), which
    would let one person's address match another's.
    """
    return text.lower() if text.isascii() else text.translate(_ASCII_UPPER)


def usable_email(address: str) -> bool:
    """Whether an address names one mailbox to every reader: one ``@``, both sides, nothing invisible."""
    local, at, domain = address.partition("@")
    return (
        bool(local and at and domain) and "@" not in domain and address.isprintable() and " " not in address
    )


def keys_of(principal: Principal) -> Keys:
    """Every key that names this person. An unverified e-mail address names nobody."""
    connection = principal.connection
    # "Everybody" was written with people in mind. A program is let in by its name, or not at all.
    keys: set[Key] = set() if connection in (SERVICE, SERVICE_ACCOUNT) else {ANYONE}
    # At the embedded connection the username is the login; elsewhere our username may differ from it.
    login = principal.username if connection == LOCAL else principal.login
    if login:
        keys.add(("login", connection, fold(login)))
    keys.update(("login", where, fold(name)) for where, name in principal.logins if name)
    if principal.email and principal.email_verified and usable_email(principal.email):
        keys.add(("email", fold(principal.email)))
    keys.update(("group", name) for name in principal.groups)
    keys.update(("provider", connection, fold(name)) for name in principal.provider_groups)
    keys.update(("provider", where, fold(name)) for where, name in principal.linked_groups)
    return frozenset(keys)


def claimed_keys_of(principal: Principal) -> Keys:
    """``keys_of``, and what is asserted without proof: whoever a rule keeps out must not get around it by
    leaving an address unverified."""
    keys = keys_of(principal)
    if principal.email and ("email", fold(principal.email)) not in keys:
        return keys | {("email", fold(principal.email))}
    return keys


class Narrowing(Struct, frozen=True):
    """One compiled glob of one server."""

    kind: NarrowedKind
    pattern: re.Pattern[str]
    keys: Keys
    rule: str

    def matches(self, kind: str, name: str) -> bool:
        """Whether the rule speaks about this name; any reading of the name that matches counts."""
        if kind != self.kind:
            return False
        return any(self.pattern.match(fold(reading)) for reading in readings(kind, name))


class CompiledServer(Struct, frozen=True):
    """One server's list. ``keys`` None: not declared, the gateway-wide list decides."""

    name: str
    keys: Keys | None
    narrowings: tuple[Narrowing, ...]
    rule: str
    called: bool = True
    """Whether it speaks MCP: what is allowed by a pattern of servers is meant for these."""


class CompiledRules(Struct, frozen=True):
    """What the engine asks. ``gateway`` None: no gateway-wide list."""

    gateway: Keys | None
    named_somewhere: Keys
    servers: tuple[CompiledServer, ...]
    resources: tuple[CompiledServer, ...]
    memberships: Mapping[Key, frozenset[str]]
    """Key → groups that it opens by being declared in them, or in a group within them. One look for each key
    of a person: it costs the same with five groups and with five thousand."""
    roles: tuple[tuple[Role, Keys], ...]
    """Highest first."""
    opened: Callable[[Iterable[Selector]], Keys]
    """A list of selectors as keys."""
    auth_enabled: bool


def readings(kind: str, name: str) -> tuple[str, ...]:
    """The spellings under which an upstream might understand a name.

    Tools and prompts are opaque; a resource is a URI whose escapes and dot segments a server may resolve
    (RFC 3986 §6.2.2), so a rule on ``file:///etc/*`` must hold for ``file:///tmp/../%65tc/passwd`` too.
    """
    if kind != "resource":
        return (name,)
    decoded = unquote(name)
    scheme, mark, rest = decoded.partition("://")
    flat = f"{scheme}{mark}{normpath(_SLASHES.sub('/', rest))}" if mark and rest else decoded
    return (name, decoded, flat)


def compile_rules(rules: Rules) -> CompiledRules:
    """Open the groups of the file and index every list."""
    groups = _Groups(dict(rules.groups))
    gateway = _access(rules.gateway, groups)
    servers = tuple(_server(server, groups) for server in rules.servers)
    resources = tuple(_server(resource, groups) for resource in rules.resources)
    named = frozenset().union(*(each.keys for each in (*servers, *resources) if each.keys is not None))
    return CompiledRules(
        gateway=gateway,
        named_somewhere=named,
        servers=servers,
        resources=resources,
        memberships=groups.memberships(),
        roles=_roles(rules, groups),
        opened=lambda selectors: _list(selectors, groups),
        auth_enabled=rules.auth_enabled,
    )


def _server(server: ServerRules, groups: _Groups) -> CompiledServer:
    return CompiledServer(
        name=server.server,
        keys=_access(server.allowed, groups),
        narrowings=tuple(_narrowing(server, rule, groups) for rule in server.tools),
        rule=f"{server.place}.{server.server}.allowed_users",
        called=server.place in ("servers", "virtual_servers"),
    )


def _narrowing(server: ServerRules, rule: ToolRule, groups: _Groups) -> Narrowing:
    return Narrowing(
        kind=rule.kind,
        # Folded like the names it meets: `delete_*` is meant to cover `Delete_All` as well.
        pattern=re.compile(translate(fold(rule.glob))),
        keys=_list(rule.allowed, groups),
        rule=f'{server.place}.{server.server}.{rule.kind}s["{rule.glob}"]',
    )


def _access(declared: AccessList, groups: _Groups) -> Keys | None:
    return None if declared is None else _list(declared, groups)


def _list(selectors: Iterable[Selector], groups: _Groups) -> Keys:
    keys: set[Key] = set()
    for selector in selectors:
        key = _key(selector)
        if key is not None:
            keys.add(key)
        if isinstance(selector, ByGroup):
            keys |= groups.opened(selector.name)
    return frozenset(keys)


def _roles(rules: Rules, groups: _Groups) -> tuple[tuple[Role, Keys], ...]:
    opened: dict[Role, Keys] = {}
    for role, selectors in rules.roles:
        opened[role] = opened.get(role, frozenset()) | (_list(selectors, groups) - {ANYONE})
    return tuple((role, opened[role]) for role in reversed(ROLES) if role in opened)


class _Groups:
    """Declared groups: of the file, and what the store nests and fills by rule."""

    def __init__(self, declared: Mapping[str, tuple[Selector, ...]]) -> None:
        self._declared = declared
        self._opened: dict[str, Keys] = {}

    def opened(self, name: str) -> Keys:
        """The group's own key and everything that its members reach; a circle of groups ends by itself."""
        if name not in self._opened:
            self._opened[name] = self._open(name)
        return self._opened[name]

    def memberships(self) -> Mapping[Key, frozenset[str]]:
        """Which declared groups each key leads into, through any number of groups in between."""
        direct: dict[Key, set[str]] = {}
        for name, selectors in self._declared.items():
            for key in filter(None, map(_key, selectors)):
                direct.setdefault(key, set()).add(name)
        climbed: dict[frozenset[str], frozenset[str]] = {}
        found = {}
        for key, names in direct.items():
            start = frozenset(names)
            if start not in climbed:
                climbed[start] = _climb(start, direct)
            found[key] = climbed[start]
        return found

    def _open(self, name: str) -> Keys:
        keys: set[Key] = {("group", name)}
        waiting = [name]
        seen: set[str] = set()
        while waiting:
            group = waiting.pop()
            if group in seen:
                continue
            seen.add(group)
            for selector in self._declared.get(group, ()):
                if (key := _key(selector)) is not None:
                    keys.add(key)
                if isinstance(selector, ByGroup):
                    waiting.append(selector.name)
        return frozenset(keys)


def _climb(start: frozenset[str], direct: Mapping[Key, set[str]]) -> frozenset[str]:
    """These groups and all that hold them."""
    found: set[str] = set()
    waiting = set(start)
    while waiting:
        found |= waiting
        waiting = {parent for name in waiting for parent in direct.get(("group", name), ())} - found
    return frozenset(found)


def _key(selector: Selector) -> Key | None:
    """The key of a selector; None for one that can name nobody."""
    if isinstance(selector, ByEmail):
        return ("email", fold(selector.address)) if usable_email(selector.address) else None
    if isinstance(selector, ByLogin):
        return ("login", selector.connection, fold(selector.login)) if selector.login else None
    if isinstance(selector, ByGroup):
        return ("group", selector.name)
    if isinstance(selector, ByProviderGroup):
        return ("provider", selector.connection, fold(selector.name))
    return ANYONE
