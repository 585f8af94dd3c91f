"""``Idempotency-Key``: a POST that was sent twice happens once, and both get the same answer.

A program whose connection breaks does not know whether its request was carried out. It sends the request
again under the same name. The answer is kept for a day, sealed with the admin key that asked: a key that was
made is shown once to its maker and to nobody who reads the database.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from hashlib import sha256

import msgspec
from msgspec import Struct

from gatekit.admin.entry import Admitted
from gatekit.errors import AdminError, ApiProblem, BadApiRequest, InConflict, NotAcceptable, VaultError
from gatekit.model.admin_keys import ApiReply
from gatekit.oauth.ports import Vault
from gatekit.store.api_ports import ApiReplies

KEPT_SECONDS = 86_400
MAX_NAME = 200
PURPOSE = "api-reply"


class Reply(Struct, frozen=True):
    """An answer before HTTP. ``body`` is JSON."""

    status: int
    body: str = ""
    tag: str = ""


class Replies:
    def __init__(self, rows: ApiReplies, vault: Vault) -> None:
        self._rows = rows
        self._vault = vault

    async def once(
        self,
        admitted: Admitted,
        name: str,
        request: bytes,
        now: int,
        carry_out: Callable[[], Awaitable[Reply]],
    ) -> Reply:
        """The answer of ``carry_out``, or the one that the same request got before.

        ``request`` is all that makes it the same. Raises ``ApiProblem``, and what ``carry_out`` raises.
        What was refused may be tried again under the same name.
        """
        if not 0 < len(name) <= MAX_NAME or not all("!" <= character <= "~" for character in name):
            raise BadApiRequest(f"an Idempotency-Key has 1 to {MAX_NAME} printable ASCII characters")
        row = ApiReply(
            key_id=admitted.key.id,
            name_hash=sha256(name.encode()).hexdigest(),
            request_hash=sha256(request).hexdigest(),
            expires_at=now + KEPT_SECONDS,
        )
        earlier = await self._rows.begin(row, now)
        if earlier is not None:
            return self._again(earlier, row, admitted.token)
        try:
            reply = await carry_out()
        except (AdminError, ApiProblem):  # refused, so nothing happened; after a failure nobody can say that
            await self._rows.abandon(row.key_id, row.name_hash)
            raise
        sealed = self._vault.seal_with(admitted.token, msgspec.json.encode(reply).decode(), PURPOSE)
        await self._rows.finish(row.key_id, row.name_hash, sealed)
        return reply

    def _again(self, earlier: ApiReply, row: ApiReply, token: str) -> Reply:
        if earlier.request_hash != row.request_hash:
            raise NotAcceptable("this Idempotency-Key named another request")
        if earlier.sealed is None:
            raise InConflict("the request with this Idempotency-Key has no answer yet; look what there is")
        try:
            opened = self._vault.open_with(token, earlier.sealed, PURPOSE)
        except VaultError:  # the master key is another one now
            raise InConflict("the answer to this Idempotency-Key cannot be read any more") from None
        return msgspec.json.decode(opened, type=Reply)
