"""What every use case needs: who acts, where it is recorded, and how names are looked up."""

from __future__ import annotations

from typing import Literal, Protocol

from msgspec import Struct

from gatekit.errors import NotFound
from gatekit.identity.names import canonical_username
from gatekit.model.audit import AdminEvent, AuditEvent
from gatekit.model.people import User
from gatekit.model.ports import Clock, Entropy
from gatekit.store.ports import Store

Door = Literal["cli", "file", "api", "page"]


class Actor(Struct, frozen=True):
    """Who asks for a change, and through which door. ``id`` is empty for an operator at the command line."""

    name: str
    door: Door
    id: str = ""


class Audit(Protocol):
    """``audit.recorder.Recorder``."""

    async def write(self, event: AuditEvent) -> None:
        """Return when the record is safe; raise ``AuditUnavailable`` if it cannot be made so."""
        ...


class Desk:
    """Base of the use cases."""

    def __init__(self, store: Store, audit: Audit, clock: Clock, entropy: Entropy) -> None:
        self._store = store
        self._audit = audit
        self._clock = clock
        self._entropy = entropy

    def _now(self) -> int:
        return int(self._clock.now())

    async def _person(self, username: str) -> User:
        user = await self._store.users.by_username(canonical_username(username))
        if user is None:
            raise NotFound(f"there is no person called {username}; `gatekit users list` shows who there is")
        return user

    async def _record(
        self, actor: Actor, action: str, target: str, before: str = "", after: str = ""
    ) -> None:
        await self._audit.write(
            AdminEvent(
                at=self._clock.now(),
                principal_id=actor.id,
                principal=actor.name,
                action=action,
                target=target,
                before=before,
                after=after,
                door=actor.door,
            )
        )


def words(**facts: object) -> str:
    """``groups=dev,sre email=a@example.com`` for a record; facts that say nothing are left out."""
    return " ".join(f"{name}={value}" for name, value in facts.items() if value not in ("", None))
