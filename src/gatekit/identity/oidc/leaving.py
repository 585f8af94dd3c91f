"""What is kept of a sign-in at an OpenID provider: to ask it again, and to sign out there as well.

One text, sealed by the caller. Where nobody wants to sign out there it is the refresh token alone, as it
always was.
"""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

import msgspec
from msgspec import Struct

from gatekit.model.connections import OidcConnection

_MARK = "both:"
"""No refresh token begins so (RFC 6749 §A.17 would allow it; what we wrote ourselves is told by it)."""


class Kept(Struct, frozen=True):
    """``id_token`` is a hint for the provider whose session is to end; it opens nothing."""

    refresh_token: str = ""
    id_token: str = ""


def written(connection: OidcConnection, kept: Kept) -> str:
    """For ``ExternalIdentity.upstream``; empty: nothing has to be kept."""
    refresh = kept.refresh_token if connection.recheck else ""
    if not connection.logout:
        return refresh
    return _MARK + msgspec.json.encode(Kept(refresh, kept.id_token)).decode("ascii")


def read(upstream: str) -> Kept:
    """What ``written`` wrote, also before the operator changed their mind."""
    if not upstream.startswith(_MARK):
        return Kept(refresh_token=upstream)
    return msgspec.json.decode(upstream.removeprefix(_MARK), type=Kept)


def address(endpoint: str, connection: OidcConnection, kept: Kept, back: str, state: str) -> str:
    """Where the browser goes (RP-Initiated Logout §2)."""
    params = {
        "client_id": connection.client_id,
        "post_logout_redirect_uri": back,
        "state": state,
    }
    if kept.id_token:
        params = {"id_token_hint": kept.id_token, **params}
    joint = "&" if urlsplit(endpoint).query else "?"
    return f"{endpoint}{joint}{urlencode(params)}"
