"""Clients, grants and what hangs below a grant. Secrets appear here only as SHA-256 hashes (hex)."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

TokenAuthMethod = Literal["none", "client_secret_post", "client_secret_basic", "private_key_jwt"]
CLIENT_CREDENTIALS = "client_credentials"
"""The grant type of a client that acts for itself (RFC 6749 §4.4)."""
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
"""The grant type of a token that is given for a narrower one (RFC 8693 §2.1)."""
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
"""The grant type of a program without a browser (RFC 8628 §3.4)."""
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
"""The grant type of an assertion that somebody else signed (RFC 7523 §2.1)."""

ClientSource = Literal["dynamic", "configured", "document"]


class Client(Struct, frozen=True, kw_only=True):
    """An OAuth client (RFC 7591 metadata that we keep)."""

    id: str
    name: str
    redirect_uris: tuple[str, ...]
    auth_method: TokenAuthMethod = "none"
    secret_hash: str | None = None
    old_secret_hash: str | None = None
    """The secret before the last change of it, good until ``old_secret_until``."""
    old_secret_until: int = 0
    jwks: str = ""
    """Public keys of ``private_key_jwt`` as a JWK set in JSON (RFC 7591 §2); empty: see ``jwks_uri``."""
    jwks_uri: str = ""
    signing_algorithm: str = ""
    """The only one that its assertions may be signed with; empty: any that is offered."""
    registration_hash: str | None = None
    """Hash of what reads and changes the registration (RFC 7592); None: nobody can."""
    grant_types: tuple[str, ...] = ("authorization_code", "refresh_token")
    scope: str = ""
    """As it was asked for; of a configured client: all it may have, empty for everything there is."""
    servers: tuple[str, ...] = ()
    """Names of the only servers its tokens may be for; empty: all that their principal may use."""
    application_type: str = "web"
    client_uri: str = ""
    metadata: str = "{}"
    """Everything else that was registered, as canonical JSON, echoed back (RFC 7591 §3.2.1)."""
    source: ClientSource = "dynamic"
    disabled: bool = False
    created_at: int = 0
    last_used_at: int | None = None


class Grant(Struct, frozen=True, kw_only=True):
    """principal × client × resources × scopes; revoking it fells every token below it."""

    id: str
    user_id: str
    client_id: str
    resources: tuple[str, ...]
    """Resource identifiers (RFC 8707), i.e. public URLs of endpoints."""
    scopes: tuple[str, ...]
    auth_time: int
    created_at: int
    expires_at: int
    """Absolute end of the refresh family."""
    revoked_at: int | None = None
    revoke_reason: str = ""
    connection: str = ""
    """How the person had signed in who approved it: it ends with what that connection vouches for. Empty:
    from before this was kept, or nobody signed in."""
    amr: str = ""
    """Of the sign-in at ``auth_time``, as in ``BrowserSession``."""


class AuthorizationCode(Struct, frozen=True, kw_only=True):
    """RFC 6749 §4.1.2; single use, bound to client, redirect URI and PKCE challenge."""

    code_hash: str
    grant_id: str
    client_id: str
    redirect_uri: str
    code_challenge: str
    resources: tuple[str, ...]
    created_at: int
    expires_at: int
    used_at: int | None = None
    jkt: str = ""
    """Thumbprint (RFC 7638) of the only key that may redeem it; empty: any (RFC 9449 §10)."""


class RefreshToken(Struct, frozen=True, kw_only=True):
    """One link of a rotation chain (OAuth 2.1 §4.3.1). ``successor`` is sealed, for the grace window only."""

    token_hash: str
    grant_id: str
    client_id: str
    created_at: int
    expires_at: int
    used_at: int | None = None
    successor_sealed: str | None = None
    """The successor refresh token, sealed with a key derived from *this* token, so that a parallel copy of
    the client gets the same successor and nobody else can read it."""
    jkt: str = ""
    """Thumbprint of the key whose holder alone may use it; empty: none (RFC 9449 §5)."""


class AccessToken(Struct, frozen=True, kw_only=True):
    """An opaque access token. A signed one carries its claims itself and has no row."""

    token_hash: str
    claims: str
    """JSON of what a signed token would carry (RFC 9068 §2.2); holds no secret."""
    expires_at: int


class ApiKey(Struct, frozen=True, kw_only=True):
    """A bearer secret for clients that cannot do OAuth. Shown once, stored as a hash."""

    id: str
    token_hash: str
    user_id: str
    name: str
    servers: tuple[str, ...]
    """Names of the servers it opens; empty means every server its owner may use."""
    hint: str
    """Last four characters, so that a person recognises it."""
    created_at: int
    expires_at: int
    revoked_at: int | None = None
    last_used_at: int | None = None
    read_only: bool = False
    """It reads and calls nothing (scope ``mcp:read``)."""


class GrantQuery(Struct, frozen=True, kw_only=True):
    """Which grants, by id. Everything that is named must hold."""

    after: str = ""
    """Id that the page before ended with."""
    limit: int = 100
    user_id: str = ""
    client_id: str = ""
    ended: bool = False
    """Also those that are over."""


class KeyQuery(Struct, frozen=True, kw_only=True):
    """Which API keys, by id. Everything that is named must hold."""

    after: str = ""
    limit: int = 100
    user_id: str = ""
    state: Literal["", "active", "expired", "revoked"] = ""


class Transaction(Struct, frozen=True, kw_only=True):
    """One run through the authorization endpoint, from request to redirect. Bound to one browser."""

    id_hash: str
    browser_hash: str
    """Hash of the browser-binding cookie that was set when it started."""
    client_id: str
    redirect_uri: str
    state: str | None
    code_challenge: str
    scopes: tuple[str, ...]
    resources: tuple[str, ...]
    """Empty: the client named none and the person picks (RFC 8707 leaves it to us)."""
    prompt: str = ""
    nonce: str = ""
    """Of an OpenID Connect request: goes into the id_token as it came."""
    user_id: str | None = None
    provider: str = ""
    provider_state: str = ""
    """Sealed JSON of what the provider leg needs back: state, nonce, verifier."""
    created_at: int = 0
    expires_at: int = 0
    finished_at: int | None = None
    pushed_hash: str = ""
    """The pushed request (``PushedRequest.uri_hash``) that it came from, used up when it finishes."""
    jkt: str = ""
    """What its code will be bound to (RFC 9449 §10, ``dpop_jkt``)."""
    halfway: str = ""
    """Who showed a password in this run and has to show a second factor; ``oauth.second_step`` writes it."""


class PushedRequest(Struct, frozen=True, kw_only=True):
    """An authorization request that its client sent beforehand (RFC 9126), free of the client's secrets."""

    uri_hash: str
    client_id: str
    parameters: str
    """JSON: a list of (name, value), in the order they came."""
    created_at: int
    expires_at: int
    used_at: int | None = None


class RelyingSession(Struct, frozen=True, kw_only=True):
    """A browser session that signed a person in at a relying party (OpenID Connect), and what is still owed
    to that party when the session ends."""

    grant_id: str
    session_hash: str
    """``BrowserSession.token_hash``; the session's row may be gone."""
    client_id: str
    user_id: str
    nonce: str
    created_at: int
    sid: str = ""
    """What the relying party calls it; kept when a person signs in anew and the session has another hash."""
    due_at: int | None = None
    """When to tell the relying party (next) that the session has ended; None: nothing to tell."""
    attempts: int = 0


DeviceStatus = Literal["pending", "approved", "denied", "used"]


class DeviceAuthorization(Struct, frozen=True, kw_only=True):
    """One run of the device authorization grant (RFC 8628): asked for by a device, decided in a browser."""

    device_hash: str
    user_code_hash: str
    """Keyed hash: eight letters could be guessed from a plain one."""
    client_id: str
    scopes: tuple[str, ...]
    resources: tuple[str, ...]
    """Empty: the client named none and the person picks."""
    address: str
    """Network peer that asked, shown to the person who decides."""
    interval: int
    """Seconds that the device has to leave between two questions (RFC 8628 §3.5, ``slow_down``)."""
    created_at: int
    expires_at: int
    polled_at: int | None = None
    status: DeviceStatus = "pending"
    grant_id: str | None = None


class Consent(Struct, frozen=True, kw_only=True):
    """A remembered approval; the key is all five fields, so a changed redirect URI asks again."""

    user_id: str
    client_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    resources: tuple[str, ...]
    created_at: int


class SigningKey(Struct, frozen=True, kw_only=True):
    """An asymmetric key; the private part is sealed with the vault's master key."""

    kid: str
    purpose: str
    algorithm: str
    public_jwk: str
    private_sealed: str
    created_at: int
    retired_at: int | None = None
