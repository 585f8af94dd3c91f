"""The judgement. ``decide`` says who may do what and why; ``visible`` is the same answer for lists.

The lists of the file, each of which can only refuse: authentication switched off → the gateway-wide list →
the server's list (or, when it has none, the gateway-wide one) → every glob that matches the name. On top of
them come the rules (``bundle.py``), for whoever passed the gateway-wide list.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from gatekit.model.circumstances import UNASKED, Circumstances
from gatekit.model.decision import Allow, Decision, Deny
from gatekit.model.people import ROLES, Principal, Role
from gatekit.model.rules import Rules
from gatekit.policy.bundle import Bundle, bundle_of
from gatekit.policy.index import Directory, Index
from gatekit.policy.quotas import Limited, compile_quotas, concerning
from gatekit.policy.rules import (
    CompiledRules,
    CompiledServer,
    Keys,
    claimed_keys_of,
    compile_rules,
    keys_of,
)
from gatekit.policy.ruling import Asker, Ruled, compile_rule
from gatekit.policy.server_rights import At, ServerRights

Kind = Literal["server", "tool", "prompt", "resource"]

GATEWAY_RULE = "proxy.auth.allowed_users"
DEFAULT_RULE = "default"
AUTH_DISABLED_RULE = "proxy.auth.enabled"

_UNKNOWN_SERVER = Deny("no such server", DEFAULT_RULE)


class Rights:
    """What one principal may do under one Policy. Belongs to that principal and to one event loop."""

    __slots__ = ("_resources", "_servers", "conditional", "quotas")

    def __init__(
        self,
        servers: dict[str, ServerRights],
        resources: tuple[str, ...],
        conditional: bool = False,
        quotas: tuple[Limited, ...] = (),
    ) -> None:
        self._servers = servers
        self._resources = resources
        self.conditional = conditional
        """Whether any rule looks at the circumstances of a call. If none does, nobody need gather them."""
        self.quotas = quotas
        """Those that calls of this person may count in."""

    def decide(self, server: str, kind: Kind, name: str = "", about: Circumstances = UNASKED) -> Decision:
        """Judge one use of ``server``; ``name`` is the tool's or prompt's name or the resource's URI (or a
        method that is not ours to know, of the kind ``server``). What ``about`` leaves open counts against
        the caller."""
        found = self._found(server, kind, name)
        return found.judge(about, False) if isinstance(found, Bundle) else found

    def could(self, server: str, kind: Kind, name: str = "", about: Circumstances = UNASKED) -> Decision:
        """The best answer that a call could get of which no more than ``about`` is known."""
        found = self._found(server, kind, name)
        return found.judge(about, True) if isinstance(found, Bundle) else found

    def visible(self, server: str, kind: Kind, name: str = "", about: Circumstances = UNASKED) -> bool:
        """Whether a list may show it: exactly when some use of it would not be denied."""
        return type(self.could(server, kind, name, about)) is not Deny

    def selected(
        self, server: str, kind: Kind, names: Sequence[str], about: Circumstances = UNASKED
    ) -> tuple[bool, ...]:
        """``visible`` of each name. The answer for one list is kept: clients ask for it again and again."""
        rights = self._servers.get(server)
        if rights is None:
            return (False,) * len(names)
        wanted = tuple(names)
        shown = rights.shown.get(kind)
        if shown is None or shown.names != wanted:
            shown = rights.show(kind, wanted)
        if shown.answer is not None:
            return shown.answer
        visible = [
            type(case.judge(about, True) if isinstance(case, Bundle) else case) is not Deny
            for case in shown.cases
        ]
        return tuple([visible[place] for place in shown.which])

    def _found(self, server: str, kind: Kind, name: str) -> Decision | Bundle:
        rights = self._servers.get(server)
        if rights is None:
            return _UNKNOWN_SERVER
        if rights.index is None and (not rights.narrowings or kind == "server"):
            return rights.access
        return rights.memo.get((kind, name)) or rights.judge(kind, name)

    def narrows(self, server: str, kind: Kind) -> bool:
        """Whether any rule looks at single names of this kind there; if none does, all of them are visible to
        whoever may use the server."""
        rights = self._servers.get(server)
        if rights is None:
            return True
        known = rights.narrowed.get(kind)
        if known is None:
            known = rights.narrowed[kind] = rights.narrows(kind)
        return known

    def outline(self, server: str, kind: Kind) -> tuple[object, ...] | None:
        """What of a kind is out of reach there, as declared; None: everything. Equal outlines show the same
        things."""
        rights = self._servers.get(server)
        if rights is None or (type(rights.access) is not Allow and not rights.rules):
            return None
        closed = (
            narrowing.pattern.pattern
            for narrowing in rights.narrowings
            if narrowing.kind == kind and rights.keys.isdisjoint(narrowing.keys)
        )
        if not rights.rules:
            return tuple(closed)
        return (
            type(rights.access) is Allow,
            *closed,
            *(ruled.rule for ruled in rights.rules if ruled.touches(kind) and not ruled.rule.shadow),
        )

    def servers(self) -> tuple[str, ...]:
        """The servers this person may use, in the order of the file."""
        return tuple(name for name in self._servers if type(self.could(name, "server")) is Allow)

    def resources(self) -> tuple[str, ...]:
        """The resource servers elsewhere that this person may get tokens for, in the order of the file."""
        return self._resources


class Policy:
    """Compiled rules; immutable. Implements ``identity.ports.Admission``."""

    __slots__ = ("_at", "_compiled", "_conditional", "_directory", "_elsewhere", "_rules", "quotas")

    def __init__(
        self, compiled: CompiledRules, rules: tuple[Ruled, ...] = (), quotas: tuple[Limited, ...] = ()
    ) -> None:
        self._compiled = compiled
        self.quotas = quotas
        """Everybody's."""
        self._rules = rules
        rules = tuple(sorted(rules, key=lambda ruled: ruled.title))
        self._directory = Directory(rules)
        self._conditional = frozenset(ruled for ruled in rules if not ruled.fixed)
        self._at = {server.name: _at(server, rules) for server in compiled.servers}
        self._elsewhere = {server.name: _covering(server, rules) for server in compiled.resources}

    @classmethod
    def compile(cls, rules: Rules) -> Policy:
        """Index declared rules. What names nobody allows nobody. Raises ``InvalidInput`` for a rule that
        ``ruling.fault_of_rule`` refuses."""
        compiled = compile_rules(rules)
        ruled = tuple(compile_rule(rule, compiled.opened) for rule in rules.rules)
        return cls(compiled, ruled, compile_quotas(rules.quotas, compiled.opened))

    @property
    def rules(self) -> tuple[Ruled, ...]:
        """All of them, in the order in which they were declared."""
        return self._rules

    @property
    def lists(self) -> Policy:
        """The same without rules: what the access lists say by themselves."""
        return Policy(self._compiled)

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that can be used here, in the order of the file."""
        return tuple(self._at)

    def covered(self, server: str) -> tuple[Ruled, ...]:
        """The rules about one server, whomever they concern."""
        at = self._at.get(server)
        return at.rules if at is not None else ()

    def admits(self, principal: Principal) -> bool:
        """The gateway-wide gate: the gateway's list if there is one, else being named at any server, or by a
        rule that lets in."""
        compiled = self._compiled
        if not compiled.auth_enabled:
            return True
        gate = compiled.named_somewhere if compiled.gateway is None else compiled.gateway
        if not keys_of(principal).isdisjoint(gate):
            return True
        if compiled.gateway is not None:
            return False
        asker = self.asker(principal)
        allows = (ruled for ruled in self._rules if not ruled.restricts and not ruled.rule.shadow)
        return any(ruled.concerns(asker) for ruled in allows)

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

    def approves(self, principal: Principal, title: str) -> bool:
        """Whether this person is among the approvers of the rule that is called so in the audit."""
        keys = keys_of(principal)
        for ruled in self._rules:
            if ruled.title == title and ruled.rule.effect == "ask":
                return not keys.isdisjoint(self._compiled.opened(ruled.rule.approvers))
        return False

    def rights(self, principal: Principal) -> Rights:
        """Everything this person may do. Cheap, but worth keeping per principal."""
        compiled = self._compiled
        keys = keys_of(principal)
        mine = self._concerning(principal)
        refused = self._gateway_refusal(keys)
        servers = {}
        for server in compiled.servers:
            access = refused or self._access(server, keys)
            # With authentication off no list can change the answer, and who is not let in at the gateway
            # is let in by no rule.
            narrowings = server.narrowings if compiled.auth_enabled and refused is None else ()
            at = self._at[server.name] if mine and refused is None else None
            if type(access) is not Allow and at is None:
                narrowings = ()
            servers[server.name] = ServerRights(access, keys, narrowings, at, mine)
        elsewhere = (
            resource.name
            for resource in compiled.resources
            if type(refused or self._access_elsewhere(resource, keys, mine)) is Allow
        )
        conditional = not mine.isdisjoint(self._conditional)
        quotas = concerning(self.quotas, self.asker(principal)) if self.quotas else ()
        return Rights(servers, tuple(elsewhere), conditional, quotas)

    def _concerning(self, principal: Principal) -> frozenset[Ruled]:
        if not self._rules:
            return frozenset()
        return self._directory.concerning(self.asker(principal))

    def asker(self, principal: Principal) -> Asker:
        """The person as rules see them."""
        role = max(principal.role, self.role(principal), key=ROLES.index)
        return Asker(keys_of(principal), claimed_keys_of(principal), role)

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

    def _access_elsewhere(self, resource: CompiledServer, keys: Keys, mine: frozenset[Ruled]) -> Decision:
        """Of a resource server elsewhere: nothing is called there, so only rules about all of it count."""
        whole = (r for r in self._elsewhere[resource.name] if r in mine and r.whole)
        rules = [ruled for ruled in whole if ruled.rule.effect in ("allow", "deny")]
        return bundle_of(self._access(resource, keys), False, rules).judge(UNASKED, False)


def _at(server: CompiledServer, rules: tuple[Ruled, ...]) -> At | None:
    covering = _covering(server, rules)
    return At(covering, Index(covering)) if covering else None


def _covering(server: CompiledServer, rules: tuple[Ruled, ...]) -> tuple[Ruled, ...]:
    return tuple(ruled for ruled in rules if ruled.covers(server.name, server.called))
