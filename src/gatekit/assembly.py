"""Config → what each room wants of it. ``app`` puts the rooms together with what is made here.

Nothing here keeps anything: the same configuration always gives the same settings and tables.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from gatekit import __version__
from gatekit.config.model import Config, LocalConnection
from gatekit.gateway.ports import GatewaySettings
from gatekit.gateway.published import Inspectors, Merging, Published
from gatekit.model.factors import LocalFactors
from gatekit.oauth.settings import OAuthSettings
from gatekit.platform.limits import Rate
from gatekit.policy.engine import Policy
from gatekit.policy.stored import NOTHING_STORED, Stored, with_stored


def hosts(config: Config) -> tuple[str, ...]:
    """Names under which the gateway may be addressed, besides loopback ones."""
    return config.host, urlsplit(config.public_url).hostname or ""


def tables(config: Config, stored: Stored = NOTHING_STORED, plugins: Inspectors | None = None) -> Published:
    servers = {entry.server.name: entry.server for entry in config.servers}
    merging = Merging(page_size=config.aggregate.page_size, patience=config.aggregate.patience)
    virtual = [entry.virtual for entry in config.virtual]
    policy = Policy.compile(with_stored(config.rules, stored))
    return Published(servers, policy, virtual, merging, plugins)


def gateway_settings(config: Config) -> GatewaySettings:
    sessions = config.sessions
    return GatewaySettings(
        max_body_bytes=config.limits.max_body_bytes,
        max_depth=config.limits.max_depth,
        allowed_origins=frozenset({config.public_url, *config.allowed_origins}),
        session_idle=sessions.idle_timeout,
        sessions_per_principal=sessions.max_per_user,
        keepalive=sessions.keepalive,
        stream_life=sessions.stream_life,
        replay_bytes=sessions.replay_bytes,
        replay_total_bytes=sessions.replay_total_bytes,
        approval_wait=config.approvals.wait,
        approvals_per_principal=config.approvals.max_per_user,
        approvals_in_all=config.approvals.max_waiting,
        approval_arguments=config.approvals.show_arguments,
        version=__version__,
    )


def requestable(config: Config) -> tuple[str, ...]:
    """Names of the servers that people may ask for."""
    return tuple(entry.server.name for entry in config.servers if entry.requestable)


def local_factors(config: Config) -> LocalFactors:
    """What accounts of the gateway itself may or must have."""
    found = (entry.factors for entry in config.auth.connections if isinstance(entry, LocalConnection))
    return next(found, LocalFactors())


def titles(config: Config) -> tuple[tuple[str, str], ...]:
    """Everything that is published under a name of its own, and what people call it."""
    published = [(entry.server.name, entry.server.title) for entry in config.servers]
    published += [(entry.virtual.name, entry.virtual.title) for entry in config.virtual]
    return tuple((name, title or name) for name, title in published)


def oauth_settings(config: Config) -> OAuthSettings:
    tokens, registration = config.tokens, config.registration
    return OAuthSettings(
        issuer=config.public_url,
        servers=titles(config),
        resource_servers=config.resources,
        targets=config.forward_auth,
        legacy_sse=config.legacy_sse,
        refusal_seconds=1.0,
        access_token_format=tokens.format,
        access_token_lifetime=tokens.access_ttl,
        rotate_keys_every=tokens.rotate_keys,
        refresh_token_lifetime=tokens.refresh_ttl,
        refresh_grace=tokens.refresh_grace,
        code_lifetime=tokens.code_ttl,
        pushed_request_lifetime=config.pushed_requests.ttl,
        require_pushed=config.pushed_requests.required,
        dpop_required=config.dpop.required,
        dpop_nonce=config.dpop.nonce,
        external=config.external,
        assertions=config.assertions,
        private_use_schemes=registration.private_use_schemes,
        registration_enabled=registration.enabled,
        document_domains=registration.metadata_document_domains,
        registration_per_address=Rate(
            registration.per_minute_per_address, registration.per_minute_per_address
        ),
        registration_global=Rate(registration.per_minute, registration.per_minute),
    )
