"""The judgement. ``decide`` says who may do what and why; ``visible`` is the same answer for lists.

Order of the checks, each of which can only refuse: authentication switched off → the gateway-wide list →
the server's list (or, when it has none, the gateway-wide one) → every glob rule that matches the name.
"""

from __future__ import annotations

from typing import Literal

from gatekit.model.decision import Allow, Decision, Deny
from gatekit.model.people import Principal, Role
from gatekit.model.rules import Rules
from gatekit.policy.rules import CompiledRules, CompiledServer, Keys, Narrowing, compile_rules, keys_of

Kind = Literal["server", "tool", "prompt", "resource"]

GATEWAY_RULE = "proxy.auth.allowed_users"
DEFAULT_RULE = "default"
AUTH_DISABLED_RULE = "proxy.auth.enabled"

MEMO_LIMIT = 4096
"""Names remembered per person and server. Names come from clients, so the memo must not grow for ever."""

_UNKNOWN_SERVER = Deny("no such server", DEFAULT_RULE)


class _ServerRights:
    """One person at one server: the answer for the server, and a memo of answers for names."""

    __slots__ = ("access", "keys", "memo", "narrowings")

    def __init__(self, access: Decision, keys: Keys, narrowings: tuple[Narrowing, ...]) -> None:
        self.access = access
        self.keys = keys
        self.narrowings = narrowings
        self.memo: dict[tuple[str, str], Decision] = {}

    def judge(self, kind: str, name: str) -> Decision:
        decision = self.access
        for narrowing in self.narrowings:
            if not narrowing.matches(kind, name):
                continue
            if self.keys.isdisjoint(narrowing.keys):
                decision = Deny(f"not on the list of this {kind}", narrowing.rule)
                break
            decision = Allow(narrowing.rule)
        if len(self.memo) < MEMO_LIMIT:
            self.memo[(kind, name)] = decision
        return decision


class Rights:
    """What one principal may do under one Policy. Belongs to that principal and to one event loop."""

    __slots__ = ("_resources", "_servers")

    def __init__(self, servers: dict[str, _ServerRights], resources: tuple[str, ...]) -> None:
        self._servers = servers
        self._resources = resources

    def decide(self, server: str, kind: Kind, name: str = "") -> Decision:
        """Judge one use of ``server``; ``name`` is the tool's or prompt's name or the resource's URI."""
        rights = self._servers.get(server)
        if rights is None:
            return _UNKNOWN_SERVER
        if not rights.narrowings or kind == "server":
            return rights.access
        return rights.memo.get((kind, name)) or rights.judge(kind, name)

    def visible(self, server: str, kind: Kind, name: str = "") -> bool:
        """Whether a list may show it: exactly when using it would be allowed."""
        return type(self.decide(server, kind, name)) is Allow

    def narrows(self, server: str, kind: Kind) -> bool:
        """Whether any rule looks at single names of this kind there; if none does, all of them are visible to
        whoever may use the server."""
        rights = self._servers.get(server)
        return rights is None or any(narrowing.kind == kind for narrowing in rights.narrowings)

    def outline(self, server: str, kind: Kind) -> tuple[str, ...] | None:
        """What of a kind is out of reach there, as declared; None: everything. Equal outlines show the same
        things."""
        rights = self._servers.get(server)
        if rights is None or type(rights.access) is not Allow:
            return None
        return tuple(
            narrowing.pattern.pattern
            for narrowing in rights.narrowings
            if narrowing.kind == kind and rights.keys.isdisjoint(narrowing.keys)
        )

    def servers(self) -> tuple[str, ...]:
        """The servers this person may use, in the order of the file."""
        return tuple(name for name, rights in self._servers.items() if type(rights.access) is Allow)

    def resources(self) -> tuple[str, ...]:
        """The resource servers elsewhere that this person may get tokens for, in the order of the file."""
        return self._resources


class Policy:
    """Compiled rules; immutable. Implements ``identity.ports.Admission``."""

    __slots__ = ("_compiled",)

    def __init__(self, compiled: CompiledRules) -> None:
        self._compiled = compiled

    @classmethod
    def compile(cls, rules: Rules) -> Policy:
        """Index declared rules. Never fails: what names nobody allows nobody."""
        return cls(compile_rules(rules))

    def admits(self, principal: Principal) -> bool:
        """The gateway-wide gate: the gateway's list if there is one, else being named at any server."""
        compiled = self._compiled
        if not compiled.auth_enabled:
            return True
        gate = compiled.named_somewhere if compiled.gateway is None else compiled.gateway
        return not keys_of(principal).isdisjoint(gate)

    def groups(self, principal: Principal) -> frozenset[str]:
        """Every group the person is in: those it carries, and those of the file that name it."""
        memberships = self._compiled.memberships
        return principal.groups.union(*(memberships.get(key, ()) for key in keys_of(principal)))

    def role(self, principal: Principal) -> Role:
        """What the file lets this person do to others, whatever their row says."""
        if not self._compiled.roles:
            return "member"
        keys = keys_of(principal)
        return next((role for role, named in self._compiled.roles if not keys.isdisjoint(named)), "member")

    def role_of_group(self, group: str) -> Role:
        """What the file makes of whoever is in a local group."""
        key = ("group", group)
        return next((role for role, named in self._compiled.roles if key in named), "member")

    def rights(self, principal: Principal) -> Rights:
        """Everything this person may do. Cheap, but worth keeping per principal."""
        compiled = self._compiled
        keys = keys_of(principal)
        refused = self._gateway_refusal(keys)
        servers = {}
        for server in compiled.servers:
            access = refused or self._access(server, keys)
            # With authentication off, or access refused, no glob can change the answer.
            narrowings = server.narrowings if compiled.auth_enabled and type(access) is Allow else ()
            servers[server.name] = _ServerRights(access, keys, narrowings)
        elsewhere = (
            resource.name
            for resource in compiled.resources
            if type(refused or self._access(resource, keys)) is Allow
        )
        return Rights(servers, tuple(elsewhere))

    def _gateway_refusal(self, keys: Keys) -> Deny | None:
        gateway = self._compiled.gateway
        if not self._compiled.auth_enabled or gateway is None or not keys.isdisjoint(gateway):
            return None
        return Deny("not on the gateway-wide list", GATEWAY_RULE)

    def _access(self, server: CompiledServer, keys: Keys) -> Decision:
        if not self._compiled.auth_enabled:
            return Allow(AUTH_DISABLED_RULE)
        if server.keys is None:
            if self._compiled.gateway is None:
                return Deny("no list names anybody for this server", DEFAULT_RULE)
            return Allow(GATEWAY_RULE)
        if keys.isdisjoint(server.keys):
            return Deny("not on the list of this server", server.rule)
        return Allow(server.rule)
