"""What a client does, as data: the parts in which real clients differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

Strictness = Literal["exact", "within", "any"]
"""Which ``resource`` of the metadata a client takes for its URL: the URL itself, one that it lies in, any."""

Opening = Literal["initialize", "discover", "GET", "HEAD", "DELETE"]
"""The first request, without a token: of the handshake era, of the stateless one, or with that method."""


class Profile(Struct, frozen=True, kw_only=True):
    """One client, as it was recorded. Parameters that are the same for all of them are in ``walk``."""

    name: str
    """As on the command line."""
    title: str
    """As its makers write it."""
    opening: tuple[Opening, ...] = ("initialize",)
    """The requests it makes without a token, in order."""
    version: str = ""
    """``MCP-Protocol-Version`` on them; empty: it sends none."""
    agent: str = "node"
    """``User-Agent`` of discovery, registration and token requests; empty: it sends none."""
    challenge: bool = False
    """Whether it needs WWW-Authenticate; others guess where the metadata lies."""
    guesses: bool = False
    """Whether it fetches the metadata of the URL's path without having asked the URL."""
    strictness: Strictness = "within"
    needs_iss: bool = False
    """Whether it refuses an authorization response without ``iss`` (RFC 9207)."""
    redirects: tuple[str, ...] = ("http://localhost:{port}/callback",)
    """``{port}``: some port that is its own."""
    uses: str = ""
    """The redirect URI of the request if it is another than the first one registered."""
    registration: Mapping[str, object] = {}
    """What it adds to the usual members; None takes one out."""
    document: str = ""
    """Its own metadata document: its client_id wherever the gateway announces support for those."""
    state: str = "opaque-{port}"
    """Empty: it sends none."""
    extra: Mapping[str, str] = {}
    """Further parameters of the authorization request."""
    looks_first: bool = False
    """Whether it fetches the authorization request itself before the browser does."""
    slash: bool = False
    """Whether it writes a bare origin with a slash at its end."""
    refresh: Mapping[str, str | None] = {}
    """What it changes in a refresh: None leaves ``resource`` out, ``{scope}`` is the one granted."""
    early: int = 60
    """Seconds before the end of a token at which it refreshes."""
    page: str = ""
    """Origin of the web page that it runs in; such clients need CORS."""
    stateless: bool = False
    """Whether it speaks the stateless era to a server that has it."""
