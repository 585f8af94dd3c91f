"""Browser sessions and where they signed people in. Conventions as in ``ports``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gatekit.model.oauth import RelyingSession
from gatekit.model.people import BrowserSession


class BrowserSessions(Protocol):
    """Ending one makes its ``RelyingSessions`` due, in the same transaction."""

    async def add(self, session: BrowserSession) -> None: ...

    async def get(self, token_hash: str, now: int) -> BrowserSession | None:
        """The session if it has neither ended nor expired."""
        ...

    async def list(self, user_id: str, now: int) -> Sequence[BrowserSession]:
        """Those of a person that have neither ended nor expired, newest first."""
        ...

    async def of_provider(self, connection: str, provider_session: str) -> Sequence[BrowserSession]:
        """Those that came in with this sign-in of the provider and have not ended."""
        ...

    async def end(self, token_hash: str, now: int) -> None: ...

    async def end_all(self, user_id: str, now: int) -> None:
        """Sign the person out everywhere: at relying parties too, of browser sessions that have expired as
        well."""
        ...

    async def purge(self, now: int) -> None: ...


class RelyingSessions(Protocol):
    """Where browser sessions signed people in (OpenID Connect)."""

    async def add(self, session: RelyingSession) -> None: ...

    async def of_grant(self, grant_id: str) -> RelyingSession | None: ...

    async def of_person(self, user_id: str, client_id: str) -> list[RelyingSession]: ...

    async def move(self, session_hash: str, successor: str) -> None:
        """The same person signed in anew in the same browser: it is their session that goes on."""
        ...

    async def due(self, now: int, again_at: int, limit: int) -> list[RelyingSession]:
        """Take up to ``limit`` that are due. Each goes to one caller, as it is afterwards: one attempt more,
        due again at ``again_at``."""
        ...

    async def told(self, grant_id: str) -> None:
        """Nothing is owed any more."""
        ...

    async def purge(self, created_before: int) -> None:
        """Remove old ones of which nothing is due."""
        ...
