"""What one person may do at one server: whatever is the same for every call is worked out once."""

from __future__ import annotations

from msgspec import Struct

from gatekit.model.circumstances import UNASKED
from gatekit.model.decision import Allow, Decision, Deny
from gatekit.policy.bundle import Bundle, bundle_of
from gatekit.policy.index import LONGEST, Index
from gatekit.policy.rules import Keys, Narrowing
from gatekit.policy.ruling import Ruled

MEMO_LIMIT = 4096
"""Names remembered per person and server. Names come from clients, so the memo must not grow for ever."""


class At(Struct, frozen=True, eq=False):
    """The rules at one server, whomever they concern: shared by everybody."""

    rules: tuple[Ruled, ...]
    index: Index


class Shown(Struct, frozen=True, eq=False):
    """A list that was asked for: its names, the cases they come to, and which name is which."""

    names: tuple[str, ...]
    cases: tuple[Decision | Bundle, ...]
    which: tuple[int, ...]
    answer: tuple[bool, ...] | None
    """If it is the same for every call."""


class ServerRights:
    """One person at one server: the answer for the server, and a memo of answers for names."""

    __slots__ = (
        *("_at", "_bundles", "_mine", "_rules"),
        *("access", "index", "keys", "memo", "narrowed", "narrowings", "shown"),
    )

    def __init__(
        self,
        access: Decision,
        keys: Keys,
        narrowings: tuple[Narrowing, ...],
        at: At | None,
        mine: frozenset[Ruled],
    ) -> None:
        self.access = access
        self.keys = keys
        self.narrowings = narrowings
        self.index = at.index if at is not None else None
        self.memo: dict[tuple[str, str], Decision | Bundle] = {}
        self.shown: dict[str, Shown] = {}
        self.narrowed: dict[str, bool] = {}
        self._at = at
        self._mine = mine
        self._rules: tuple[Ruled, ...] | None = None
        self._bundles: dict[object, Decision | Bundle] = {}

    @property
    def rules(self) -> tuple[Ruled, ...]:
        """Those about this person. Found when somebody asks: of most servers nobody does."""
        if self._rules is None:
            mine = self._mine
            self._rules = tuple(ruled for ruled in self._at.rules if ruled in mine) if self._at else ()
        return self._rules

    def judge(self, kind: str, name: str) -> Decision | Bundle:
        """The answer for a name, as far as it is the same for every call."""
        base, closed = self._listed(kind, name)
        found: Decision | Bundle = base
        if self.index is not None:
            rules = self._about(kind, name)
            if rules:
                found = self._bundled(base, closed, rules, kind == "server" and not name)
        if len(self.memo) < MEMO_LIMIT and len(name) <= LONGEST:
            self.memo[(kind, name)] = found
        return found

    def _bundled(
        self, base: Decision, closed: bool, rules: tuple[Ruled, ...], reach: bool
    ) -> Decision | Bundle:
        """Names that the same rules speak of are one case."""
        case = (base, closed, rules, reach)
        found = self._bundles.get(case)
        if found is None:
            bundle = bundle_of(base, closed, rules, reach)
            found = bundle.judge(UNASKED, False) if bundle.settled else bundle
            if len(self._bundles) < MEMO_LIMIT:
                self._bundles[case] = found
        return found

    def narrows(self, kind: str) -> bool:
        """``Rights.narrows`` of this server."""
        if any(narrowing.kind == kind for narrowing in self.narrowings):
            return True
        rules = [ruled for ruled in self.rules if ruled.touches(kind) and not ruled.rule.shadow]
        for ruled in rules:
            # What looks at arguments denies no name as such; ask and step-up hide nothing.
            if ruled.rule.effect == "deny" and not ruled.tests and not (ruled.whole and ruled.fixed):
                return True
        if type(self.access) is Allow:
            return False
        return not any(r.rule.effect == "allow" and r.whole and r.fixed for r in rules)

    def show(self, kind: str, names: tuple[str, ...]) -> Shown:
        """A list, as far as it is the same for every call. The newest of a kind is kept."""
        places: dict[int, int] = {}
        cases: list[Decision | Bundle] = []
        which = []
        for name in names:
            case = self.memo.get((kind, name)) or self.judge(kind, name)
            place = places.get(id(case))
            if place is None:
                place = places[id(case)] = len(cases)
                cases.append(case)  # kept, so that nothing else can have its id
            which.append(place)
        settled = [type(case) is not Deny for case in cases if not isinstance(case, Bundle)]
        answer = tuple(settled[place] for place in which) if len(settled) == len(cases) else None
        shown = Shown(names, tuple(cases), tuple(which), answer)
        if len(names) <= MEMO_LIMIT:
            self.shown[kind] = shown
        return shown

    def _listed(self, kind: str, name: str) -> tuple[Decision, bool]:
        """What the lists say, and whether one of them says so about this very name."""
        decision, closed = self.access, False
        for narrowing in self.narrowings:
            if not narrowing.matches(kind, name):
                continue
            if self.keys.isdisjoint(narrowing.keys):
                if type(decision) is not Allow:
                    return decision, True
                return Deny(f"not on the list of this {kind}", narrowing.rule), True
            if type(decision) is Allow:
                decision = Allow(narrowing.rule)
        return decision, closed

    def _about(self, kind: str, name: str) -> tuple[Ruled, ...]:
        assert self.index is not None
        if kind != "server":
            mine = self._mine
            return tuple([ruled for ruled in self.index.about(kind, name) if ruled in mine])
        # The server as such may be used by whoever may use anything on it, and is asked for by nothing:
        # opening a session is no deed. A method that nobody knows (``name``) may be one, and then only a
        # rule about the whole server lets it pass.
        if name:
            return tuple(ruled for ruled in self.rules if ruled.whole)
        return tuple(
            ruled
            for ruled in self.rules
            if ruled.rule.effect == "allow" or (ruled.rule.effect == "deny" and ruled.whole)
        )
