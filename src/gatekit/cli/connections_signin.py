"""``gatekit connections test --sign-in``: one real sign-in at the provider, of which nothing is kept.

The browser comes back to this machine and not to the gateway, so the provider has to know a second redirect
URI for as long as one tries (RFC 8252 §7.3).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from gatekit.errors import GatekitError, InvalidInput

if TYPE_CHECKING:
    from gatekit.config.model import Connection
    from gatekit.identity.ports import RedirectProvider
    from gatekit.model.people import ExternalIdentity

PORT = 8909
"""One that is always the same has to be registered at the provider only once."""
PATIENCE = 300.0
"""Seconds for somebody to find their password."""

Tell = Callable[[str], None]
Browse = Callable[[str], bool]


async def signed_in(connection: Connection, port: int, browse: Browse, tell: Tell) -> ExternalIdentity:
    """Who the provider says it was. What it gave besides (a refresh token) is dropped.

    Raises ``SignInRefused``, ``ProviderFailed``, ``ChannelError`` (the port is taken), ``InvalidInput`` for
    kinds that have no such way, and ``GatekitError`` after ``PATIENCE``.
    """
    from gatekit.local.account.loopback import Loopback

    provider = _provider(connection)
    # What listens is there before the address is known to anybody; its state is the leg's own.
    loopback = Loopback("", port, f"/callback/{connection.name}")
    async with loopback:
        leg = await provider.begin(loopback.redirect_uri)
        loopback.expect(str(json.loads(leg.secret)["state"]))
        tell(f"The provider has to know this redirect URI as long as you try: {loopback.redirect_uri}")
        shown = await asyncio.to_thread(browse, leg.url)
        tell(("A browser was opened. If none shows: " if shown else "Open this to sign in: ") + leg.url)
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await loopback.answer()
        except TimeoutError:
            raise GatekitError(f"nobody came back from {connection.name} within 5 minutes") from None
        return await provider.complete(answer, leg.secret, loopback.redirect_uri)


def _provider(connection: Connection) -> RedirectProvider:
    from gatekit.config.model import GitHubConnection
    from gatekit.model.connections import OidcConnection
    from gatekit.outgoing import github_provider, openid_provider
    from gatekit.platform.clock import SystemClock, SystemEntropy

    if isinstance(connection, OidcConnection):
        return openid_provider(connection, SystemClock(), SystemEntropy())
    if isinstance(connection, GitHubConnection):
        # With the groups, whatever the lists ask for: one wants to see them.
        return github_provider(connection, SystemClock(), SystemEntropy(), groups=True)
    if connection.kind == "saml":
        advice = "a SAML provider posts its answer to the gateway only; sign in there, or use --claims"
        raise InvalidInput(advice)
    raise InvalidInput(f"nobody is sent to a provider by the kind {connection.kind}; LDAP has --user")
