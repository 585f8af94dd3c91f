"""Who may use what, as an operator declared it; ``policy`` compiles it.

A *selector* names people. In the file it is one string:

``alice@example.com`` a verified e-mail address · ``alice`` a username of the default connection ·
``github:octocat`` a login at the connection ``github`` · ``group:developers`` a group ·
``org:acme`` and ``team:acme/platform`` what GitHub asserts · ``client:ci-bot`` a client of the file that acts
for itself · ``*`` everybody who can sign in, which such a client cannot.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from gatekit.model.people import Role

NarrowedKind = Literal["tool", "prompt", "resource"]


class ByEmail(Struct, frozen=True, tag=True):
    """A *verified* e-mail address, compared in lower case."""

    address: str


class ByLogin(Struct, frozen=True, tag=True):
    """A username (connection ``local``) or a login at another connection, compared in lower case."""

    connection: str
    login: str


class ByGroup(Struct, frozen=True, tag=True):
    """A group: from the store or from ``groups:`` in the file."""

    name: str


class ByProviderGroup(Struct, frozen=True, tag=True):
    """What the provider asserts: an organisation (``acme``) or a team (``acme/platform``)."""

    connection: str
    name: str


class Anyone(Struct, frozen=True, tag=True):
    """Everybody who can sign in: people, and no clients that act for themselves."""


Selector = ByEmail | ByLogin | ByGroup | ByProviderGroup | Anyone

AccessList = tuple[Selector, ...] | None
"""``None``: not declared (inherit). An empty tuple: nobody."""


class ToolRule(Struct, frozen=True, kw_only=True):
    """Narrows tools (or prompts, or resources) of one server whose name matches ``glob``.

    Every rule that matches a name must allow the person: rules only ever take away, whatever their order.
    """

    glob: str
    allowed: tuple[Selector, ...]
    kind: NarrowedKind = "tool"


class ServerRules(Struct, frozen=True, kw_only=True):
    """Who may use one server; ``None`` inherits the gateway-wide list."""

    server: str
    allowed: AccessList = None
    tools: tuple[ToolRule, ...] = ()
    place: str = "servers"
    """Section of the file that declares it; part of the rule's name in the audit."""


class Rules(Struct, frozen=True, kw_only=True):
    """Everything that was declared. ``auth_enabled`` False: one anonymous local person may do everything."""

    gateway: AccessList = None
    groups: tuple[tuple[str, tuple[Selector, ...]], ...] = ()
    servers: tuple[ServerRules, ...] = ()
    resources: tuple[ServerRules, ...] = ()
    """Who may get tokens for resource servers elsewhere. Apart from ``servers``: nothing here is called."""
    roles: tuple[tuple[Role, tuple[Selector, ...]], ...] = ()
    """Who may do what to others, besides what their rows say."""
    auth_enabled: bool = True
