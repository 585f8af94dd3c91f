"""What the bridge sends as ``Authorization``: asked before each request, told of each refusal.

One sign-in or refresh at a time, in this process and among all bridges to the same URL. A request waits for
it a while; then its client is told what to open, and the sign-in goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Literal

from gatekit.errors import ChannelError
from gatekit.local.account.discover import Challenge, Fetch
from gatekit.local.account.exchange import Denied, token
from gatekit.local.account.keep import Keeper, Kept
from gatekit.local.account.signin import SignIn
from gatekit.model.ports import Clock

_log = logging.getLogger("gatekit.local")


May = Literal["ask", "renew", "nothing"]
"""What may be done for a request: ask a person to sign in, renew what there is, or nothing at all."""

PAUSE = 5.0
"""Seconds after a sign-in that failed in which requests share its failure: a client that tries again by
itself must not open one browser window after the other."""


class Static:
    """Headers that were given on the command line; a refusal is final."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = dict(headers)

    async def headers(self, may: May) -> dict[str, str]:  # noqa: ARG002
        return self._headers

    async def refused(
        self,
        used: Mapping[str, str],  # noqa: ARG002
        status: int,
        challenge: Challenge,
        may: May,  # noqa: ARG002
    ) -> None:
        said = challenge.description or challenge.error
        raise ChannelError(
            f"the credentials were refused (HTTP {status}{': ' + said if said else ''}): "
            "give others with --header, or leave them out to sign in"
        )

    async def aclose(self) -> None:
        return None


class Account:
    """Tokens of one person for one URL."""

    def __init__(self, fetch: Fetch, keeper: Keeper, signin: SignIn, clock: Clock, patience: float) -> None:
        """``patience``: seconds that a request waits for a person. Clients give up after a minute."""
        self._fetch = fetch
        self._keeper = keeper
        self._signin = signin
        self._clock = clock
        self._patience = patience
        self._kept: Kept | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._failed: tuple[float, ChannelError] | None = None

    async def headers(self, may: May) -> dict[str, str]:
        """For the next request; empty if nobody is signed in, which the server may not even want.

        Raises ``ChannelError``.
        """
        kept = self._kept = self._kept or await self._keeper.read()
        if may != "nothing" and kept.access_token and 0 < kept.renew_at <= self._clock.now():
            await self._renew(kept.access_token, None, may)
            kept = self._kept
        return {"authorization": f"Bearer {kept.access_token}"} if kept.access_token else {}

    async def refused(self, used: Mapping[str, str], status: int, challenge: Challenge, may: May) -> None:
        """The server did not accept ``used``: get something better, or raise ``ChannelError``."""
        if may == "nothing":
            raise ChannelError("the sign-in is not valid any more")
        stale = used.get("authorization", "").removeprefix("Bearer ")
        if status == 403 and self._kept is not None:
            wanted = set(challenge.scope.split())
            if self._kept.access_token == stale and wanted and wanted <= set(self._kept.scope.split()):
                raise ChannelError(
                    f"the sign-in does not reach that far: {challenge.description or challenge.scope}"
                )
        await self._renew(stale, challenge, may)

    async def sign_in(self) -> None:
        """Sign in now, whatever is kept. Raises ``ChannelError``."""
        async with self._keeper.locked():
            kept = await self._keeper.read()
            await self._signin.run(kept, Challenge())
            await self._keep(kept)

    async def aclose(self) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.wait({self._renewing})

    # -- one at a time -------------------------------------------------------------------------------------

    async def _renew(self, stale: str, challenge: Challenge | None, may: May) -> None:
        if self._kept is not None and self._kept.access_token != stale:
            return  # somebody was faster
        if self._renewing is None or self._renewing.done():
            if self._failed is not None and self._clock.monotonic() < self._failed[0] + PAUSE:
                raise self._failed[1]
            self._renewing = asyncio.ensure_future(self._renewed(stale, challenge, may))
            self._renewing.add_done_callback(_seen)
        done, _ = await asyncio.wait({self._renewing}, timeout=self._patience)
        if not done:
            where = self._signin.where
            raise ChannelError(
                f"sign in first: open {where} and then try again"
                if where
                else "another client is signing in: finish that in the browser, and then try again"
            )
        self._renewing.result()

    async def _renewed(self, stale: str, challenge: Challenge | None, may: May) -> None:
        async with self._keeper.locked():
            kept = await self._keeper.read()
            if kept.access_token and kept.access_token != stale:
                self._kept = kept  # another bridge did it meanwhile
                return
            widen = challenge is not None and challenge.error == "insufficient_scope"
            if kept.refresh_token and not widen and await self._refreshed(kept):
                return
            if may != "ask":
                raise ChannelError("somebody has to sign in again")
            try:
                await self._signin.run(kept, challenge or Challenge())
            except ChannelError as error:
                self._failed = (self._clock.monotonic(), error)
                raise
            await self._keep(kept)

    async def _refreshed(self, kept: Kept) -> bool:
        form = {"grant_type": "refresh_token", "refresh_token": kept.refresh_token}
        try:
            await token(self._fetch, kept, form, self._clock.now())
        except Denied as denied:
            _log.info("the sign-in cannot be renewed error=%s", denied.error)
            if denied.error == "invalid_client":
                kept.client_id = kept.client_secret = ""
            elif denied.error != "invalid_grant":
                raise
            kept.access_token = kept.refresh_token = ""
            return False
        await self._keep(kept)
        return True

    async def _keep(self, kept: Kept) -> None:
        await self._keeper.write(kept)
        self._kept = kept


def _seen(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()  # whoever waits gets it; the one who gave up does not
