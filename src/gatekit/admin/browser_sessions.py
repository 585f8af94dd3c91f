"""Where people are signed in with a browser."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from gatekit.admin.desk import Actor, Desk, words
from gatekit.errors import NotFound
from gatekit.model.people import BrowserSession, User
from gatekit.platform.vault import token_hash


class BrowserSessionView(Struct, frozen=True):
    id: str
    """Names the session on a page. Made from the stored hash, so it says nothing about the cookie."""
    session: BrowserSession


class BrowserSessions(Desk):
    """Every method that changes something raises ``AdminError``, ``StoreError`` or ``AuditUnavailable``."""

    async def list(self, actor: Actor, username: str) -> Sequence[BrowserSessionView]:
        """Those of one person that are good now, newest first."""
        user = await self._whom(actor, "sessions:read", username, own=True)
        return await self._of(user)

    async def _of(self, user: User) -> Sequence[BrowserSessionView]:
        rows = await self._store.browser_sessions.list(user.id, self._now())
        return [BrowserSessionView(name_of(row), row) for row in rows]

    async def end(self, actor: Actor, username: str, session_id: str) -> BrowserSession:
        """Sign the person out in one browser."""
        user = await self._whom(actor, "sessions:write", username, own=True)
        found = [view.session for view in await self._of(user) if view.id == session_id]
        if not found:
            raise NotFound(f"{user.username} has no browser session {session_id}")
        await self._store.browser_sessions.end(found[0].token_hash, self._now())
        before = words(session=session_id, address=found[0].address)
        await self._record(actor, "session.end", user.username, before=before, after="ended")
        return found[0]


def name_of(session: BrowserSession) -> str:
    """What a page calls a session."""
    return token_hash(session.token_hash)[:16]
