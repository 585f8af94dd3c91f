"""The resolved configuration: what ``app`` wires from. Everything is checked, absolute and frozen."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from msgspec import Struct

from gatekit.model.connections import ConnectionRules, Kind, OidcConnection
from gatekit.model.directory import LdapConnection
from gatekit.model.factors import LocalFactors
from gatekit.model.oauth import Client
from gatekit.model.people import LOCAL
from gatekit.model.plugins import PluginPlan
from gatekit.model.resource import ResourceServer
from gatekit.model.rules import Rules
from gatekit.model.server import Server
from gatekit.model.target import Target
from gatekit.model.trust import AssertionIssuer, ExternalServer
from gatekit.model.virtual import Virtual
from gatekit.policy.cases import Case

TokenFormat = Literal["jwt", "opaque"]
"""Whether an access token carries what it says, signed, or is a random string."""

Durability = Literal["process", "disk"]
"""What a recorded call survives: SIGKILL of the gateway, or loss of power."""


PRIVATE_USE_SCHEMES = ("cursor", "vscode", "vscode-insiders", "vscodium", "windsurf", "claude", "zed")
"""Schemes of desktop clients that are known to receive an authorization response (RFC 8252 §7.1)."""


class LocalConnection(Struct, frozen=True, kw_only=True):
    """Accounts with a password in Gatekit's own store."""

    kind: ClassVar[Kind] = "local"
    name: str = LOCAL
    rules: ConnectionRules = ConnectionRules()
    factors: LocalFactors = LocalFactors()


class GitHubConnection(Struct, frozen=True, kw_only=True):
    """GitHub, or a GitHub Enterprise Server when ``base_url`` says so."""

    kind: ClassVar[Kind] = "github"
    name: str
    client_id: str
    client_secret: str
    base_url: str = "https://github.com"
    """Where the browser is sent; no trailing slash."""
    api_url: str = "https://api.github.com"
    """Where people, addresses, organisations and teams are asked for; no trailing slash."""
    allowed_orgs: tuple[str, ...] = ()
    """Only members of one of these organisations may sign in; empty: no such condition."""
    title: str = "GitHub"
    """For the sign-in button."""
    rules: ConnectionRules = ConnectionRules()

    def __repr__(self) -> str:
        """Without the secret: a repr ends up in logs and tracebacks."""
        return (
            f"GitHubConnection(name={self.name!r}, client_id={self.client_id!r}, base_url={self.base_url!r})"
        )


class SamlConnection(Struct, frozen=True, kw_only=True):
    """A SAML 2.0 identity provider."""

    kind: ClassVar[Kind] = "saml"
    name: str
    metadata: str
    """The provider's metadata: an address, or the document itself (it begins with ``<``)."""
    metadata_certificate: str = ""
    """PEM; whoever must have signed the metadata. Empty: where it comes from is enough."""
    entity_id: str = ""
    """Which provider, if the metadata describes several."""
    own_entity_id: str = ""
    """What we are called there; empty: the address of our metadata."""
    subject: str = "persistent"
    """``persistent``, ``name_id`` or the name of an attribute: what says who somebody is."""
    name_id_format: str = ""
    verified_email: bool = False
    """Whether people cannot choose their own address at the provider."""
    sign_requests: bool = True
    force_authn: bool = False
    authn_contexts: tuple[str, ...] = ()
    idp_initiated: bool = False
    single_logout: bool = False
    title: str
    rules: ConnectionRules = ConnectionRules()


Connection = LocalConnection | GitHubConnection | OidcConnection | SamlConnection | LdapConnection
"""Every kind. Each has a ``kind``, a ``name`` and ``rules``."""


class AuthConfig(Struct, frozen=True, kw_only=True):
    """How people sign in. ``enabled`` False: one anonymous local person, and only on loopback."""

    enabled: bool = True
    connections: tuple[Connection, ...] = (LocalConnection(),)
    default_connection: str = LOCAL
    """The connection that bare names in access lists belong to."""


class TokenSettings(Struct, frozen=True, kw_only=True):
    """Lifetimes, all in seconds."""

    format: TokenFormat = "jwt"
    access_ttl: int = 3600
    rotate_keys: int = 90 * 86400
    """0: only by hand."""
    refresh_ttl: int = 30 * 86400
    refresh_grace: int = 45
    """How long a used refresh token still yields the same successor (parallel copies of one client)."""
    code_ttl: int = 60


class RegistrationSettings(Struct, frozen=True, kw_only=True):
    """Dynamic client registration (RFC 7591)."""

    enabled: bool = True
    private_use_schemes: tuple[str, ...] = PRIVATE_USE_SCHEMES
    """URI schemes besides https and loopback http that a redirect URI may have (RFC 8252 §7.1)."""
    metadata_documents: bool = False
    """Whether a client may be identified by the URL of its own metadata document."""
    metadata_document_domains: tuple[str, ...] = ()
    """Hosts of such URLs, ``*.example.com`` for all below one; empty: any public host."""
    per_minute: int = 60
    """Registrations per minute in all."""
    per_minute_per_address: int = 20


class PushedSettings(Struct, frozen=True, kw_only=True):
    """Pushed authorization requests (RFC 9126)."""

    required: bool = False
    """Whether every client must push."""
    ttl: int = 90
    """Seconds in which a browser has to open one."""


class DpopSettings(Struct, frozen=True, kw_only=True):
    """Access tokens that are bound to a key (RFC 9449)."""

    required: bool = False
    """Whether no other access token is issued or accepted."""
    nonce: bool = False
    """Whether proofs must hold a nonce of ours."""


class AuditSettings(Struct, frozen=True, kw_only=True):
    durability: Durability = "process"


class AggregateSettings(Struct, frozen=True, kw_only=True):
    """Endpoints that put the answers of several servers together."""

    page_size: int = 1000
    patience: float = 10.0
    """Seconds that one server may take before the others' answers go on without it."""


class ApprovalSettings(Struct, frozen=True, kw_only=True):
    """Calls that wait until somebody approves them. Durations in seconds."""

    wait: float = 300.0
    max_per_user: int = 10
    max_waiting: int = 500
    show_arguments: bool = True
    webhook: str = ""
    """Told of each call that begins to wait; empty: nobody is."""
    webhook_secret: str = ""


class SessionSettings(Struct, frozen=True, kw_only=True):
    """Sessions and event streams of the handshake era. Durations in seconds, sizes in bytes."""

    idle_timeout: float = 3600.0
    max_per_user: int = 100
    keepalive: float = 15.0
    """Silence on a stream after which a comment is sent."""
    stream_life: float = 0.0
    """Age at which a stream that its client can resume is closed; 0: never."""
    replay_bytes: int = 4 * 1024 * 1024
    """Events kept for one session whose stream may have broken."""
    replay_total_bytes: int = 64 * 1024 * 1024


class Limits(Struct, frozen=True, kw_only=True):
    """What a request may cost before it is refused."""

    max_body_bytes: int = 17 * 1024 * 1024
    max_depth: int = 64
    """Nesting of JSON in a request."""


class ServerConfig(Struct, frozen=True, kw_only=True):
    server: Server
    line: int
    """Where it is declared in the file."""
    allow_dangerous: bool = False
    requestable: bool = False
    """Whether everybody who can sign in may know of it and ask for it."""
    secret_env: frozenset[str] = frozenset()
    """Variables whose value came from a reference and is never shown."""
    secret_words: frozenset[int] = frozenset()
    """The same for words of the command, by index."""
    secret_headers: frozenset[str] = frozenset()
    """The same for headers."""
    secret_url: bool = False
    """The same for the URL; its origin is shown."""


class VirtualConfig(Struct, frozen=True, kw_only=True):
    virtual: Virtual
    line: int
    """Where it is declared in the file."""


class Config(Struct, frozen=True, kw_only=True):
    """One version of ``gatekit.yaml``, resolved. Paths are absolute."""

    path: Path
    host: str = "127.0.0.1"
    port: int = 8080
    public_url: str
    """Origin that clients see: scheme, host and maybe port; no path, no trailing slash. Also the issuer."""
    data_dir: Path
    auth: AuthConfig = AuthConfig()
    external: ExternalServer | None = None
    """The authorization server in charge, if it is not we."""
    assertions: tuple[AssertionIssuer, ...] = ()
    """Identity providers whose assertions are exchanged for our tokens."""
    rules: Rules = Rules()
    policy_tests: tuple[Case, ...] = ()
    servers: tuple[ServerConfig, ...] = ()
    virtual: tuple[VirtualConfig, ...] = ()
    plugins: PluginPlan = PluginPlan()
    tokens: TokenSettings = TokenSettings()
    resources: tuple[ResourceServer, ...] = ()
    """Others who take our access tokens."""
    registration: RegistrationSettings = RegistrationSettings()
    clients: tuple[Client, ...] = ()
    """OAuth clients that need not register; secrets are hashes here already."""
    pushed_requests: PushedSettings = PushedSettings()
    dpop: DpopSettings = DpopSettings()
    allowed_origins: tuple[str, ...] = ()
    """Web origins besides ``public_url`` whose pages may call us."""
    trusted_proxies: tuple[str, ...] = ()
    """Networks (CIDR) whose ``X-Forwarded-For`` is believed."""
    audit: AuditSettings = AuditSettings()
    aggregate: AggregateSettings = AggregateSettings()
    sessions: SessionSettings = SessionSettings()
    approvals: ApprovalSettings = ApprovalSettings()
    forward_auth: tuple[Target, ...] = ()
    """Applications that a reverse proxy asks us about."""
    legacy_sse: bool = False
    """Whether HTTP+SSE of MCP 2024-11-05 is served beside Streamable HTTP."""
    drain_timeout: float = 8.0
    """Seconds that running calls get to finish when the gateway is told to stop."""
    limits: Limits = Limits()
    secret_files: tuple[Path, ...] = ()
    """Files that ``${file:…}`` was read from; a change of one is a change of the configuration."""
    notes: tuple[str, ...] = ()
    """What is allowed but probably not meant, each with file and line; ``checks`` adds the rest."""
