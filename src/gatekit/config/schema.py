"""What an operator may write. Names, kinds and bounds only; what it means is decided in ``resolve``.

``docs/configuration.md`` describes every field here, and a test holds it to that.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from msgspec import field

from gatekit.config import document as doc
from gatekit.config.fields import (
    Anything,
    Command,
    Duration,
    Entries,
    Flag,
    MapOrList,
    OneOf,
    Section,
    Several,
    Size,
    Sub,
    Text,
    Texts,
    Whole,
    default_of,
    kinds,
)
from gatekit.config.model import PRIVATE_USE_SCHEMES, Durability, TokenFormat
from gatekit.config.plugin_schema import PluginEntries, PluginIn, Written
from gatekit.config.provider_schema import (
    SECTIONS,
    AdmitIn,
    GitHubKeys,
    LdapGroupsIn,
    LdapUsersIn,
    LocalIn,
    MapIn,
    Provider,
    ProviderGroupsIn,
    ProviderIn,
    ProvisioningIn,
    SsfIn,
)
from gatekit.config.quotas_schema import QuotaIn
from gatekit.config.rules_schema import ArgumentIn, PolicyTestIn, RuleIn, StrengthIn, WhenIn
from gatekit.config.trust_schema import AssertionIn, ExternalIn, IntrospectionIn
from gatekit.model.oauth import TokenAuthMethod
from gatekit.model.pins import PinMode
from gatekit.model.server import Instances, RemoteKind

_DAY = 86400
_MB = 1024**2

SecretMethod = Literal["client_secret_basic", "client_secret_post"]

Names = tuple[str, ...]
"""An access list: see the grammar of selectors in ``gatekit.model.rules``."""
Globs = dict[str, Names]


class TokensIn(Section, frozen=True):
    format: Annotated[TokenFormat, OneOf(("jwt", "opaque"))] = "jwt"
    access_ttl: Annotated[float, Duration(60, _DAY)] = 3600
    rotate_keys: Annotated[float, Duration(0, 3660 * _DAY)] = 90 * _DAY
    refresh_ttl: Annotated[float, Duration(300, 366 * _DAY)] = 30 * _DAY
    refresh_grace: Annotated[float, Duration(0, 300)] = 45
    # RFC 6749 §4.1.2: a maximum of ten minutes is recommended.
    code_ttl: Annotated[float, Duration(5, 600)] = 60


class RegistrationIn(Section, frozen=True):
    enabled: Annotated[bool, Flag()] = True
    private_use_schemes: Annotated[Names, Texts()] = PRIVATE_USE_SCHEMES
    metadata_documents: Annotated[bool, Flag()] = False
    metadata_document_domains: Annotated[Names, Texts()] = ()
    per_minute: Annotated[int, Whole(1, 100_000)] = 60
    per_minute_per_address: Annotated[int, Whole(1, 100_000)] = 20


class PushedRequestsIn(Section, frozen=True):
    required: Annotated[bool, Flag()] = False
    # RFC 9126 §2.2 speaks of 5 to 600 seconds.
    ttl: Annotated[float, Duration(5, 600)] = 90


class DpopIn(Section, frozen=True):
    required: Annotated[bool, Flag()] = False
    nonce: Annotated[bool, Flag()] = False


class ResourceIn(Section, frozen=True):
    """Somebody else's API that takes our tokens."""

    identifier: Annotated[str, Text()]
    title: Annotated[str, Text(empty=True)] = ""
    scopes: Annotated[Names, Texts()] = ()
    introspection_secret: Annotated[str | None, Text()] = None
    introspection_auth: Annotated[SecretMethod, OneOf(("client_secret_basic", "client_secret_post"))] = (
        "client_secret_basic"
    )
    introspection_jwks_uri: Annotated[str | None, Text()] = None
    allowed_users: Annotated[Names | None, Texts()] = None
    allowed_groups: Annotated[Names | None, Texts()] = None
    users: Annotated[Names | None, Texts()] = None


class ClientIn(Section, frozen=True):
    """An OAuth client that need not register."""

    name: Annotated[str, Text(empty=True)] = ""
    auth_method: Annotated[TokenAuthMethod | None, OneOf(get_args(TokenAuthMethod))] = None
    secret: Annotated[str | None, Text()] = None
    previous_secret: Annotated[str | None, Text()] = None
    jwks: Annotated[Any, Anything()] = None
    jwks_uri: Annotated[str | None, Text()] = None
    signing_algorithm: Annotated[str | None, Text()] = None
    redirect_uris: Annotated[tuple[str, ...], Texts()] = ()
    grant_types: Annotated[tuple[str, ...] | None, Texts()] = None
    scopes: Annotated[tuple[str, ...], Texts()] = ()
    servers: Annotated[tuple[str, ...], Texts()] = ()
    post_logout_redirect_uris: Annotated[tuple[str, ...], Texts()] = ()
    backchannel_logout_uri: Annotated[str | None, Text()] = None
    id_token_algorithm: Annotated[Literal["ES256", "RS256"] | None, OneOf(("ES256", "RS256"))] = None
    pushed_requests_only: Annotated[bool, Flag()] = False
    dpop_only: Annotated[bool, Flag()] = False


class RolesIn(Section, frozen=True):
    owner: Annotated[Names, Texts()] = ()
    admin: Annotated[Names, Texts()] = ()
    auditor: Annotated[Names, Texts()] = ()


class AuthIn(GitHubKeys, frozen=True):
    enabled: Annotated[bool, Flag()] = True
    provider: Annotated[str | None, Text()] = None
    providers: Annotated[dict[str, ProviderIn | LocalIn | None] | None, Entries(Provider())] = None
    allowed_users: Annotated[Names | None, Texts()] = None
    allowed_groups: Annotated[Names | None, Texts()] = None
    users: Annotated[Names | None, Texts()] = None
    roles: RolesIn = RolesIn()
    tokens: TokensIn = TokensIn()
    resources: Annotated[dict[str, ResourceIn], Entries(Sub(ResourceIn))] = field(default_factory=dict)
    registration: RegistrationIn = RegistrationIn()
    clients: Annotated[dict[str, ClientIn], Entries(Sub(ClientIn))] = field(default_factory=dict)
    pushed_requests: PushedRequestsIn = PushedRequestsIn()
    dpop: DpopIn = DpopIn()
    external: Annotated[ExternalIn | None, Sub(ExternalIn)] = None
    identity_assertions: Annotated[dict[str, AssertionIn], Entries(Sub(AssertionIn))] = field(
        default_factory=dict
    )


_STDIO_ELSEWHERE = "only http here; for stdio a client starts `gatekit stdio` with this file"


class TargetIn(Section, frozen=True, kw_only=True):
    url: Annotated[str, Text()]
    title: Annotated[str, Text(empty=True)] = ""
    sign_in: Annotated[bool, Flag()] = True
    allowed_users: Annotated[Names | None, Texts()] = None
    allowed_groups: Annotated[Names | None, Texts()] = None
    users: Annotated[Names | None, Texts()] = None


class ProxyIn(Section, frozen=True):
    transport: Annotated[Literal["http"], OneOf(("http",), _STDIO_ELSEWHERE)] = "http"
    host: Annotated[str, Text()] = "127.0.0.1"
    port: Annotated[int, Whole(1, 65535)] = 8080
    public_url: Annotated[str | None, Text()] = None
    allowed_origins: Annotated[Names, Texts()] = ()
    trusted_proxies: Annotated[Names, Texts()] = ()
    legacy_sse: Annotated[bool, Flag()] = False
    drain_timeout: Annotated[float, Duration(0, 3600)] = 8
    forward_auth: Annotated[dict[str, TargetIn], Entries(Sub(TargetIn))] = field(default_factory=dict)
    auth: AuthIn = AuthIn()


class AuditIn(Section, frozen=True):
    durability: Annotated[Durability, OneOf(("process", "disk"))] = "process"


class AggregateIn(Section, frozen=True):
    page_size: Annotated[int, Whole(1, 10_000)] = 1000
    patience: Annotated[float, Duration(0.1, 600)] = 10


class LimitsIn(Section, frozen=True):
    max_body: Annotated[int, Size(1024, 1024**3)] = 17 * _MB
    max_depth: Annotated[int, Whole(8, 512)] = 64


class ApprovalsIn(Section, frozen=True):
    wait: Annotated[float, Duration(1, 3600)] = 300
    max_per_user: Annotated[int, Whole(1, 1000)] = 10
    max_waiting: Annotated[int, Whole(1, 10_000)] = 500
    show_arguments: Annotated[bool, Flag()] = True
    webhook: Annotated[str | None, Text()] = None
    webhook_secret: Annotated[str | None, Text()] = None


class SessionsIn(Section, frozen=True):
    idle_timeout: Annotated[float, Duration(1, 30 * _DAY)] = 3600
    max_per_user: Annotated[int, Whole(1, 100_000)] = 100
    keepalive: Annotated[float, Duration(1, 600)] = 15
    stream_life: Annotated[float, Duration(0, _DAY)] = 0
    replay: Annotated[int, Size(0, 1024**3)] = 4 * _MB
    replay_total: Annotated[int, Size(0, 64 * 1024**3)] = 64 * _MB


class ServerIn(Section, frozen=True):
    command: Annotated[str | tuple[str, ...] | None, Command()] = None
    url: Annotated[str | None, Text()] = None
    transport: Annotated[RemoteKind, OneOf(("auto", "http", "sse"))] = "auto"
    headers: Annotated[dict[str, str], Entries(Text())] = field(default_factory=dict)
    args: Annotated[tuple[str, ...], Texts(empty=True)] = ()
    env: Annotated[dict[str, str], Entries(Text(empty=True))] = field(default_factory=dict)
    cwd: Annotated[str | None, Text()] = None
    title: Annotated[str, Text(empty=True)] = ""
    instances: Annotated[Instances, OneOf(("session", "user", "shared"))] = "session"
    idle_timeout: Annotated[float, Duration(0.1, 30 * _DAY)] = 300
    max_instances: Annotated[int | None, Whole(1, 100_000)] = None
    max_instances_per_user: Annotated[int | None, Whole(1, 100_000)] = None
    warm: Annotated[int, Whole(0, 1000)] = 0
    max_waiting: Annotated[int, Whole(0, 100_000)] = 100
    max_waiting_per_user: Annotated[int, Whole(0, 100_000)] = 10
    max_wait: Annotated[float, Duration(0, 3600)] = 2
    max_calls: Annotated[int | None, Whole(1, 100_000)] = None
    max_calls_per_user: Annotated[int | None, Whole(1, 100_000)] = None
    max_calls_waiting: Annotated[int, Whole(0, 100_000)] = 1000
    max_call_wait: Annotated[float, Duration(0, 3600)] = 30
    max_line: Annotated[int, Size(1024, 1024**3)] = 16 * _MB + 65536
    max_result: Annotated[int, Size(1024, 1024**3)] = 64 * _MB + 65536
    start_timeout: Annotated[float, Duration(0.1, 3600)] = 30
    call_timeout: Annotated[float, Duration(0.1, _DAY)] = 300
    probe_timeout: Annotated[float, Duration(0.05, 60)] = 3
    requestable: Annotated[bool, Flag()] = False
    pins: Annotated[PinMode, OneOf(("off", "flag", "quarantine", "approve"))] = "flag"
    allow_dangerous: Annotated[bool, Flag()] = False
    allowed_users: Annotated[Names | None, Texts()] = None
    allowed_groups: Annotated[Names | None, Texts()] = None
    users: Annotated[Names | None, Texts()] = None
    tools: Annotated[Globs, Entries(Texts())] = field(default_factory=dict)
    prompts: Annotated[Globs, Entries(Texts())] = field(default_factory=dict)
    resources: Annotated[Globs, Entries(Texts())] = field(default_factory=dict)
    plugins: Annotated[tuple[Written, ...], PluginEntries()] = ()


class NamedServerIn(ServerIn, frozen=True, kw_only=True):
    """The list form: the name is a key of the entry."""

    name: Annotated[str, Text()]


class ExposedIn(Section, frozen=True):
    """A prompt that a virtual server shows; what a tool may have besides stands in ``ExposedToolIn``."""

    server: Annotated[str, Text()]
    name: Annotated[str | None, Text()] = None
    title: Annotated[str, Text(empty=True)] = ""
    description: Annotated[str, Text(empty=True)] = ""
    arguments: Annotated[dict[str, Any], Entries(Anything())] = field(default_factory=dict)
    allowed_users: Annotated[Names | None, Texts()] = None
    allowed_groups: Annotated[Names | None, Texts()] = None
    users: Annotated[Names | None, Texts()] = None


class ExposedToolIn(ExposedIn, frozen=True):
    annotations: Annotated[dict[str, bool], Entries(Flag())] = field(default_factory=dict)


class VirtualIn(Section, frozen=True):
    title: Annotated[str, Text(empty=True)] = ""
    instructions: Annotated[str, Text(empty=True)] = ""
    tools: Annotated[dict[str, ExposedToolIn], Entries(Sub(ExposedToolIn))] = field(default_factory=dict)
    prompts: Annotated[dict[str, ExposedIn], Entries(Sub(ExposedIn))] = field(default_factory=dict)
    resources: Annotated[Globs, Entries(Texts())] = field(default_factory=dict)
    allowed_users: Annotated[Names | None, Texts()] = None
    allowed_groups: Annotated[Names | None, Texts()] = None
    users: Annotated[Names | None, Texts()] = None


class FileIn(Section, frozen=True):
    """The whole file."""

    data_dir: Annotated[str, Text()] = "gatekit-data"
    proxy: ProxyIn = ProxyIn()
    groups: Annotated[Globs, Entries(Texts())] = field(default_factory=dict)
    servers: Annotated[dict[str, ServerIn] | list[NamedServerIn], MapOrList(ServerIn, NamedServerIn)] = field(
        default_factory=dict
    )
    virtual_servers: Annotated[dict[str, VirtualIn], Entries(Sub(VirtualIn))] = field(default_factory=dict)
    plugins: Annotated[tuple[Written, ...], PluginEntries()] = ()
    plugins_dir: Annotated[str | None, Text()] = None
    rules: Annotated[tuple[RuleIn, ...], Several(RuleIn)] = ()
    quotas: Annotated[tuple[QuotaIn, ...], Several(QuotaIn)] = ()
    policy_tests: Annotated[tuple[PolicyTestIn, ...], Several(PolicyTestIn)] = ()
    aggregate: AggregateIn = AggregateIn()
    audit: AuditIn = AuditIn()
    sessions: SessionsIn = SessionsIn()
    approvals: ApprovalsIn = ApprovalsIn()
    limits: LimitsIn = LimitsIn()


PLACES: dict[str, type[Section]] = {
    "": FileIn,
    "proxy": ProxyIn,
    "proxy.forward_auth.*": TargetIn,
    "proxy.auth": AuthIn,
    "proxy.auth.providers.*": ProviderIn,
    "proxy.auth.providers.*.admit": AdmitIn,
    "proxy.auth.providers.*.map": MapIn,
    "proxy.auth.providers.*.groups": ProviderGroupsIn,
    "proxy.auth.providers.*.provisioning": ProvisioningIn,
    "proxy.auth.providers.*.ssf": SsfIn,
    **{f"proxy.auth.providers.<{kind}>": section for kind, section in SECTIONS.items()},
    "proxy.auth.roles": RolesIn,
    "proxy.auth.providers.<ldap>.users": LdapUsersIn,
    "proxy.auth.providers.<ldap>.group_search": LdapGroupsIn,
    "proxy.auth.tokens": TokensIn,
    "proxy.auth.resources.*": ResourceIn,
    "proxy.auth.registration": RegistrationIn,
    "proxy.auth.clients.*": ClientIn,
    "proxy.auth.pushed_requests": PushedRequestsIn,
    "proxy.auth.dpop": DpopIn,
    "proxy.auth.external": ExternalIn,
    "proxy.auth.external.introspection": IntrospectionIn,
    "proxy.auth.identity_assertions.*": AssertionIn,
    "servers.*": NamedServerIn,
    "virtual_servers.*": VirtualIn,
    "virtual_servers.*.tools.*": ExposedToolIn,
    "virtual_servers.*.prompts.*": ExposedIn,
    "plugins.*": PluginIn,
    "rules.*": RuleIn,
    "rules.*.arguments.*": ArgumentIn,
    "rules.*.when": WhenIn,
    "rules.*.strength": StrengthIn,
    "quotas.*": QuotaIn,
    "policy_tests.*": PolicyTestIn,
    "aggregate": AggregateIn,
    "audit": AuditIn,
    "sessions": SessionsIn,
    "approvals": ApprovalsIn,
    "limits": LimitsIn,
}
"""Where each section stands in the file; ``*`` is a name that the operator chooses (or a list index),
``<kind>`` the name of a connection of that kind."""


def section_at(path: doc.Path) -> type[Section] | None:
    """The section whose keys are written at ``path``."""
    return next((model for place, model in PLACES.items() if doc.matches(path, place)), None)


def settings() -> dict[str, Any]:
    """Every setting as ``place.key`` with its default (``...`` for a required one), sections left out."""
    found: dict[str, Any] = {}
    for place, model in PLACES.items():
        common = kinds(ProviderIn) if place.endswith(">") else ()
        for name, (_, info) in kinds(model).items():
            path = f"{place}.{name}".removeprefix(".")
            if path not in PLACES and name not in common:
                found[path] = ... if info.required else default_of(info)
    return found
