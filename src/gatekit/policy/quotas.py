"""Quotas compiled: whose calls, of what. What was used is counted beside the calls (``gateway.quotas``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from gatekit.model.circumstances import Circumstances
from gatekit.model.rules import Quota, Selector
from gatekit.policy.rules import Keys
from gatekit.policy.ruling import Asker, Ruled, compile_rule


class Limited(Struct, frozen=True, eq=False):
    """One quota. ``eq`` is identity: there is one of each."""

    quota: Quota
    ruled: Ruled

    def counts(self, servers: Iterable[tuple[str, str]], kind: str, about: Circumstances) -> bool:
        """Whether a call counts. ``servers``: (server, name of the thing there) of every way to name what is
        called: at the server, and at the virtual one that it came through."""
        ruled = self.ruled
        named = any(ruled.covers(server, True) and ruled.speaks_of(kind, name) for server, name in servers)
        return named and ruled.met(about, could=False)


def compile_quotas(
    quotas: Iterable[Quota], keys: Callable[[Iterable[Selector]], Keys]
) -> tuple[Limited, ...]:
    """Raises ``InvalidInput``. ``keys`` opens a list of selectors."""
    return tuple(Limited(quota, compile_rule(quota.rule, keys)) for quota in quotas)


def concerning(quotas: Iterable[Limited], asker: Asker) -> tuple[Limited, ...]:
    """Those that this person's calls may count in."""
    return tuple(limited for limited in quotas if limited.ruled.concerns(asker))
