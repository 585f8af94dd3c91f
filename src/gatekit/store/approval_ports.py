"""Calls that wait for an approval. Conventions as in ``ports``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal, Protocol

from gatekit.model.approvals import Approval, Verdict


class Approvals(Protocol):
    """Every change but ``add`` is a compare-and-swap: of two that race, the first one wins."""

    async def add(self, approval: Approval) -> None: ...

    async def get(self, approval_id: str) -> Approval | None: ...

    async def some(self, ids: Collection[str]) -> Sequence[Approval]:
        """Those of these that there are."""
        ...

    async def list(self, *, waiting: bool = False, limit: int = 500) -> Sequence[Approval]:
        """The newest first. ``waiting``: only those that somebody has to decide."""
        ...

    async def standing(self, now: int) -> Sequence[Approval]:
        """Those that allow more calls than the one that asked, and still do."""
        ...

    async def decide(self, approval_id: str, verdict: Verdict) -> Approval | None:
        """The approval as it is then; None if it does not wait (any more) at ``verdict.at``. The arguments
        are forgotten."""
        ...

    async def end(
        self, approval_id: str, state: Literal["expired", "cancelled", "ended"], now: int
    ) -> Approval | None:
        """End one that waits, or that was allowed and not taken yet (it is too late for ``expired`` then).
        None if it is neither."""
        ...

    async def take(self, approval_id: str, now: int) -> bool:
        """Use what was allowed for one call, which can be done once."""
        ...

    async def take_back(self, approval_id: str, by: str, now: int) -> Approval | None:
        """End what allows more calls. None if it does not (any more)."""
        ...

    async def orphaned(self, gateway: str, now: int) -> Sequence[Approval]:
        """End what waits in a process of that name, which is not there any more; what was ended."""
        ...

    async def trim(self, before: int) -> None:
        """Forget what was asked before then and is over."""
        ...
