"""Who may use what, as an operator declared it; ``policy`` compiles it.

A *selector* names people. In the file it is one string:

``alice@example.com`` a verified e-mail address · ``alice`` a username of the default connection ·
``github:octocat`` a login at the connection ``github`` · ``group:developers`` a group ·
``org:acme`` and ``team:acme/platform`` what GitHub asserts · ``client:ci-bot`` a client of the file that acts
for itself · ``*`` everybody who can sign in, which such a client cannot.
"""

from __future__ import annotations

from typing import Any, Literal

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


Effect = Literal["allow", "deny", "ask", "step_up"]
Operator = Literal["equals", "in", "matches", "under", "larger_than", "not_larger_than", "above", "up_to"]


class ArgumentTest(Struct, frozen=True, kw_only=True):
    """One thing about one argument of a call."""

    pointer: str
    """RFC 6901, from the arguments object: ``/path``."""
    operator: Operator
    value: Any
    """A scalar for ``equals``; a tuple of scalars for ``in``, of folders for ``under``; an RE2 pattern for
    ``matches``; bytes for sizes (``larger_than``, ``not_larger_than``); a number for ``above``, ``up_to``."""
    optional: bool = False
    """Leaving the argument out is harmless: then the test says "nothing wrong" instead of "unknown"."""


class Window(Struct, frozen=True, kw_only=True):
    """A time of the week."""

    days: frozenset[int] = frozenset(range(7))
    """Monday is 0. A window over midnight belongs to the day on which it begins."""
    start: int = 0
    """Minutes since midnight."""
    end: int = 0
    """The same, not included; not after ``start``: on the next day."""
    zone: str = "UTC"
    """IANA name."""


class Strength(Struct, frozen=True, kw_only=True):
    """How well the person must have signed in."""

    max_age: float = 0.0
    """Seconds since then; 0: however long."""
    amr: frozenset[str] = frozenset()
    """All of these (RFC 8176)."""


class Rule(Struct, frozen=True, kw_only=True):
    """One entry of ``rules``. Everything that is written must hold at once; within a list, one of it.

    ``allow`` lets in. ``deny`` wins over everything. ``ask`` and ``step_up`` let nobody in by themselves:
    they put a condition before what something else allows.
    """

    name: str
    effect: Effect
    who: tuple[Selector, ...] | None = None
    """None: whoever asks, programs as well."""
    unless: tuple[Selector, ...] = ()
    """For these the rule does not exist."""
    roles: tuple[Role, ...] = ()
    clients: tuple[str, ...] = ()
    """Globs of client ids; ``name:`` before a glob means the name that a client gives itself."""
    servers: tuple[str, ...] = ()
    """Globs; empty: all."""
    names: tuple[tuple[NarrowedKind, str], ...] = ()
    """(kind, glob) of tools, prompts, resources; empty: everything, and the server as such."""
    arguments: tuple[ArgumentTest, ...] = ()
    when: Window | None = None
    networks: tuple[str, ...] = ()
    """CIDR."""
    strength: Strength | None = None
    """``allow``: only with it. ``step_up``: what is asked for."""
    approvers: tuple[Selector, ...] = ()
    """``ask``: who may say yes."""
    reason: str = ""
    shadow: bool = False
    """Recorded, not enforced."""
    expires_at: float = 0.0
    """Seconds since the epoch from which the rule counts no more; 0: never."""
    place: str = "rules"

    @property
    def title(self) -> str:
        """What it is called in the audit."""
        return f"{self.place}.{self.name}"


class StoredRule(Struct, frozen=True, kw_only=True):
    """A rule that an administrator made while the gateway runs. Times are seconds since the epoch."""

    name: str
    body: str
    """JSON: ``policy.written.Written``."""
    enabled: bool = True
    expires_at: int | None = None
    created_at: int
    created_by: str
    updated_at: int
    updated_by: str


class Allowance(Struct, frozen=True):
    """So much within any stretch of time."""

    amount: int
    """Calls or bytes."""
    seconds: float


Per = Literal["person", "client", "all"]


class Quota(Struct, frozen=True, kw_only=True):
    """One entry of ``quotas``: how much of something may be used."""

    rule: Rule
    """Whose calls, of what: selected as a rule selects, which is all that it is here."""
    per: Per = "person"
    """Who has an allowance of their own: each person, each client, or nobody: it is one for all of them."""
    calls: Allowance | None = None
    bytes_in: Allowance | None = None
    bytes_out: Allowance | None = None
    at_once: int = 0
    """Calls that may run at the same time; 0: any number."""

    @property
    def name(self) -> str:
        return self.rule.name


class Rules(Struct, frozen=True, kw_only=True):
    """Everything that was declared. ``auth_enabled`` False: one anonymous local person may do everything."""

    gateway: AccessList = None
    groups: tuple[tuple[str, tuple[Selector, ...]], ...] = ()
    servers: tuple[ServerRules, ...] = ()
    resources: tuple[ServerRules, ...] = ()
    """Who may get tokens for resource servers elsewhere. Apart from ``servers``: nothing here is called."""
    roles: tuple[tuple[Role, tuple[Selector, ...]], ...] = ()
    """Who may do what to others, besides what their rows say."""
    rules: tuple[Rule, ...] = ()
    """Their order does not matter."""
    quotas: tuple[Quota, ...] = ()
    auth_enabled: bool = True
