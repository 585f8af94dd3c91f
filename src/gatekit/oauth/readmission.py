"""Client identifiers that outlive their registration: a client whose row is gone is let in again on sight.

Desktop clients keep the identifier they were given for ever and do not register anew when a gateway has
forgotten it: their user is locked out until somebody finds the file to delete. So the identifier of a public
client carries a short keyed tag for each of its redirect URIs. Whoever comes with an identifier and a
redirect URI that belong together registered exactly that here once; a stranger cannot make such a pair up
(60 bits, tried online only). What an administrator deleted or disabled stays out.
"""

from __future__ import annotations

from collections.abc import Sequence
from hmac import compare_digest

from msgspec.structs import replace
from starlette.requests import Request

from gatekit.model.audit import ClientEvent
from gatekit.model.oauth import Client
from gatekit.oauth.core import Core
from gatekit.oauth.http import Form, address, request_id
from gatekit.oauth.redirects import is_loopback, match, normal

_TAGS = 6
"""Redirect URIs that an identifier can vouch for; clients list at most this many."""
_TAG_LENGTH = 10
_MAX_LENGTH = 200


class Readmission:
    """Makes such identifiers and recognises them."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def identifier(self, redirect_uris: Sequence[str]) -> str:
        """A new identifier that vouches for ``redirect_uris``."""
        ident = self._core.services.entropy.ident("gkc_")
        return ".".join((ident, *(self._tag(ident, uri) for uri in redirect_uris[:_TAGS])))

    async def consider(self, request: Request, form: Form) -> None:
        """Add the client of an authorization request if it was registered here once and is unknown now."""
        client_id, redirect_uri = form.get("client_id"), form.get("redirect_uri")
        if not client_id or not redirect_uri or not self._vouches(client_id, redirect_uri):
            return
        clients = self._core.store.clients
        known = await clients.get(client_id)
        if known is None:
            if await clients.deleted(client_id):
                return
            client = self._forgotten(client_id, redirect_uri)
        elif _complete(known) or known.disabled or match(known.redirect_uris, redirect_uri) is not None:
            return
        else:  # let in with another of its redirect URIs before
            client = replace(known, redirect_uris=(*known.redirect_uris, normal(redirect_uri)))
        await self._core.services.audit.write(
            ClientEvent(
                at=self._core.at(),
                request_id=request_id(request),
                client_id=client.id,
                client=client.name,
                address=address(request),
                action="readmitted",
                redirect_uris=client.redirect_uris,
            )
        )
        await clients.restore(client)

    def _forgotten(self, client_id: str, redirect_uri: str) -> Client:
        return Client(
            id=client_id,
            name="An application registered earlier",
            redirect_uris=(normal(redirect_uri),),
            auth_method="none",
            application_type="native" if is_loopback(redirect_uri) else "web",
            created_at=self._core.now(),
        )

    def _vouches(self, client_id: str, redirect_uri: str) -> bool:
        ident, *tags = client_id.split(".") if len(client_id) <= _MAX_LENGTH else ("",)
        if not tags or len(tags) > _TAGS:
            return False
        expected = self._tag(ident, redirect_uri).encode()
        return any([compare_digest(tag.encode(), expected) for tag in tags])

    def _tag(self, ident: str, redirect_uri: str) -> str:
        return self._core.services.vault.mac(f"{ident}\0{normal(redirect_uri)}", "client-id")[:_TAG_LENGTH]


def _complete(client: Client) -> bool:
    """Whether what is stored is all that there is: then a redirect URI that is missing was taken away, by the
    client (RFC 7592) or because somebody else has the identifier now, and must not come back."""
    return client.registration_hash is not None or client.source != "dynamic"
