"""What an operator may turn, as the authorization server sees it; ``app`` fills it in."""

from __future__ import annotations

from urllib.parse import urlsplit

from msgspec import Struct

from gatekit.model.resource import ResourceServer
from gatekit.model.scopes import ALL
from gatekit.model.target import Target
from gatekit.model.trust import AssertionIssuer, ExternalServer
from gatekit.oauth.formats import TokenFormat
from gatekit.platform.limits import Rate

DAY = 86_400

DEFAULT_PRIVATE_USE_SCHEMES = (
    "cursor",
    "vscode",
    "vscode-insiders",
    "vscodium",
    "windsurf",
    "claude",
    "zed",
)
"""Schemes of desktop clients that are known to receive an authorization response (RFC 8252 §7.1)."""


class OAuthSettings(Struct, frozen=True, kw_only=True):
    """Lifetimes are seconds."""

    issuer: str
    """Public origin: scheme, host, perhaps a port; no path, no trailing slash (RFC 8414 §2)."""
    servers: tuple[tuple[str, str], ...] = ()
    """(name, title) of every published server."""
    resource_servers: tuple[ResourceServer, ...] = ()
    """Others who take our access tokens."""
    targets: tuple[Target, ...] = ()
    """Applications that a reverse proxy asks us about."""
    legacy_sse: bool = False
    """Whether each endpoint has an HTTP+SSE URL as well; a token for one is good for the other."""
    scopes: tuple[str, ...] = ALL
    access_token_format: TokenFormat = "jwt"
    access_token_lifetime: int = 3600
    rotate_keys_every: int = 90 * DAY
    """0: only when an operator says so."""
    refresh_token_lifetime: int = 30 * DAY
    """Without use."""
    grant_lifetime: int = 90 * DAY
    """Absolute end of a refresh family."""
    refresh_grace: int = 45
    """How long a rotated refresh token still yields its successor (parallel copies of one client)."""
    code_lifetime: int = 60
    device_code_lifetime: int = 600
    """Seconds in which a person has to bring a device's code (RFC 8628 §3.2)."""
    device_interval: int = 5
    """Seconds between two questions of a waiting device."""
    device_attempts: Rate = Rate(10, 10)
    """Codes that one person, and one address, may try: 20^8 codes, of which few are live (RFC 8628 §5.1)."""
    transaction_lifetime: int = 600
    pushed_request_lifetime: int = 90
    """Seconds in which a browser has to open a pushed request (RFC 9126 §2.2)."""
    pushed_global: Rate = Rate(1200, 1200)
    """Pushed requests of everybody: some 150 MB of them at most, when strangers do their worst."""
    require_pushed: bool = False
    """Whether every authorization request must be pushed."""
    dpop_required: bool = False
    """Whether access tokens are only issued and accepted bound to a key (RFC 9449)."""
    dpop_nonce: bool = False
    """Whether proofs must hold a nonce of ours (RFC 9449 §8, §9)."""
    browser_session_lifetime: int = 12 * 3600
    recent_sign_in: int = 900
    """How long ago a person may have signed in to be given a secret that outlives the session."""
    private_use_schemes: tuple[str, ...] = DEFAULT_PRIVATE_USE_SCHEMES
    registration_enabled: bool = True
    registration_per_address: Rate = Rate(20, 10)
    registration_global: Rate = Rate(200, 60)
    registration_daily: Rate = Rate(5000, 3.5)
    """Bounds what a patient stranger can store: about 10,000 unused clients, which expire after a day."""
    refusal_seconds: float = 0.0
    """How late a registration above the budget hears that it is."""
    registration_max_bytes: int = 16 * 1024
    unused_client_lifetime: int = DAY
    document_domains: tuple[str, ...] = ()
    """Hosts whose client metadata documents are believed, ``*.`` for all below; empty: any public one."""
    authorize_per_address: Rate = Rate(120, 120)
    """Each GET /authorize writes a row, so it has a budget as well."""
    form_max_bytes: int = 64 * 1024
    external: ExternalServer | None = None
    """Another authorization server issues the tokens for our endpoints; then we issue none."""
    assertions: tuple[AssertionIssuer, ...] = ()
    """Identity providers whose identity assertions are exchanged for our tokens."""
    bearer_cache_size: int = 20_000
    bearer_cache_seconds: float = 30.0
    """Upper bound for a verified credential to be trusted without looking again."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.issuer)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query:
            raise ValueError(
                f"the issuer must be a bare origin like https://mcp.example.com: {self.issuer!r}"
            )

    @property
    def authorization_server(self) -> str:
        """The issuer of the tokens that our endpoints accept (RFC 9728 §2)."""
        return self.external.issuer if self.external else self.issuer

    @property
    def offered_scopes(self) -> tuple[str, ...]:
        """What clients are told to ask for there."""
        return self.external.scopes if self.external else self.scopes

    @property
    def secure(self) -> bool:
        """Whether browsers reach us over TLS, so that cookies can be ``__Host-``."""
        return self.issuer.startswith("https://")
