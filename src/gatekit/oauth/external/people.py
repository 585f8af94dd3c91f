"""The rows of people whom another issuer vouches for: made when they are first seen, and judged like any."""

from __future__ import annotations

from gatekit.errors import SignInRefused
from gatekit.identity.standing import Standings, Upright
from gatekit.model.access import Inactive
from gatekit.model.audit import SignIn
from gatekit.model.people import ExternalIdentity
from gatekit.model.ports import Clock
from gatekit.model.trust import Issuer
from gatekit.oauth.ports import Audit, Mapping
from gatekit.store.people_ports import Users

MAX_KEPT = 20_000


class People:
    """Finds, creates and refreshes people of other issuers."""

    def __init__(
        self, users: Users, mapping: Mapping, standings: Standings, audit: Audit, clock: Clock
    ) -> None:
        self._users = users
        self._mapping = mapping
        self._standings = standings
        self._audit = audit
        self._clock = clock
        self._newest: dict[str, float] = {}
        """User id → ``iat`` of the newest assertion about them that was written down."""

    async def upright(
        self, issuer: Issuer, asserted: ExternalIdentity, issued_at: float, request_id: str = ""
    ) -> Upright:
        """The person, in good standing, with the groups that *this* assertion names.

        The row remembers what the newest assertion said: an older token that is still valid opens what it
        was issued for and changes nothing for others. Raises ``SignInRefused`` (unknown, disabled, not
        admitted), ``StoreError``, ``AuditUnavailable``.
        """
        known = await self._users.by_identity(asserted.connection, asserted.issuer, asserted.subject)
        if known is None and issuer.unknown_people == "refuse":
            raise SignInRefused(UNKNOWN, f"{asserted.subject!r} of {issuer.issuer} was never seen here")
        user_id = known.id if known is not None else ""
        if known is None or issued_at > self._newest.get(user_id, float("-inf")):
            user_id = (await self._mapping.admit(asserted)).id
            self._remember(user_id, issued_at)
        said = frozenset((asserted.connection, name) for name in asserted.provider_groups)
        found = await self._standings.asserted(user_id, said, self._clock.now())
        if isinstance(found, Inactive):
            raise SignInRefused(REFUSED, f"{found.username or asserted.subject}: {found.reason}")
        if known is None:
            await self._audit.write(
                SignIn(
                    at=self._clock.now(),
                    request_id=request_id,
                    principal_id=found.user.id,
                    principal=found.user.username,
                    connection=issuer.name,
                    outcome="ok",
                    reason=f"first seen: {asserted.subject} of {issuer.issuer}",
                )
            )
        return found

    def _remember(self, user_id: str, issued_at: float) -> None:
        self._newest[user_id] = max(issued_at, self._newest.pop(user_id, issued_at))
        while len(self._newest) > MAX_KEPT:
            del self._newest[next(iter(self._newest))]


UNKNOWN = "nobody has given this person access here"
REFUSED = "this person may not use this gateway"
