"""The resolved configuration for people: secrets masked, lists in the words of the file."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

from gatekit.config.approvals import show_approvals
from gatekit.config.model import Config, ServerConfig, SessionSettings
from gatekit.config.quotas import shown_quota
from gatekit.config.show_connections import MASK, shown_connection
from gatekit.config.show_plugins import shown_plugins
from gatekit.config.units import show_seconds, show_size
from gatekit.model.oauth import Client
from gatekit.model.rules import (
    AccessList,
    Selector,
    ServerRules,
)
from gatekit.model.server import Server
from gatekit.model.trust import Issuer
from gatekit.model.virtual import Exposed, Virtual
from gatekit.policy.selectors import spelled

_INHERITED = "everybody on the gateway-wide list"

_SECRET_NAME = re.compile(
    r"key|token|secret|pass|credential|auth|cookie|session|private|dsn|database_url|connection|sas",
    re.IGNORECASE,
)
_SECRET_OPTION = re.compile(
    r"(--?[\w-]*(?:key|token|secret|pass\w*|credential\w*)[\w-]*)(=?)(.*)", re.IGNORECASE
)
_URL_PASSWORD = re.compile(r"(\w+://[^/\s:@]*:)[^/\s@]+(@)")


def describe(config: Config) -> dict[str, Any]:
    """Plain data for ``gatekit check`` and ``--json``, in the shape of the file. Holds no secret."""
    return {
        "file": str(config.path),
        "data_dir": str(config.data_dir),
        "proxy": {
            "transport": "http",
            "host": config.host,
            "port": config.port,
            "public_url": config.public_url,
            "allowed_origins": list(config.allowed_origins),
            "trusted_proxies": list(config.trusted_proxies),
            "legacy_sse": config.legacy_sse,
            "drain_timeout": show_seconds(config.drain_timeout),
            **_forward_auth(config),
            "auth": _auth(config),
        },
        "groups": {name: [selector(member) for member in members] for name, members in config.rules.groups},
        "servers": {
            entry.server.name: _server(entry, rules, config.rules.gateway)
            for entry, rules in zip(config.servers, config.rules.servers, strict=False)
        },
        **_virtual_servers(config),
        **shown_plugins(config.plugins),
        **({"quotas": [shown_quota(quota) for quota in config.rules.quotas]} if config.rules.quotas else {}),
        "aggregate": {
            "page_size": config.aggregate.page_size,
            "patience": show_seconds(config.aggregate.patience),
        },
        "audit": {"durability": config.audit.durability},
        "sessions": _sessions(config.sessions),
        "approvals": show_approvals(config.approvals),
        "limits": {"max_body": show_size(config.limits.max_body_bytes), "max_depth": config.limits.max_depth},
    }


def _sessions(sessions: SessionSettings) -> dict[str, Any]:
    return {
        "idle_timeout": show_seconds(sessions.idle_timeout),
        "max_per_user": sessions.max_per_user,
        "keepalive": show_seconds(sessions.keepalive),
        "stream_life": show_seconds(sessions.stream_life),
        "replay": show_size(sessions.replay_bytes),
        "replay_total": show_size(sessions.replay_total_bytes),
    }


def selector(value: Selector) -> str:
    """A selector as it may be written in the file, always with its prefix."""
    return spelled(value)


def masked(text: str) -> str:
    """A command-line word without what looks like a secret."""
    option = _SECRET_OPTION.fullmatch(text)
    if option and option[2]:
        return f"{option[1]}={MASK}"
    return _URL_PASSWORD.sub(rf"\1{MASK}\2", text)


def _url(url: str) -> str:
    """An address that we ask, without what may be a key in it."""
    path, mark, _ = url.partition("?")  # many a service takes its key in the query
    return masked(path) + (f"?{MASK}" if mark else "")


def _words(entry: ServerConfig) -> list[str]:
    shown: list[str] = []
    hide_next = False
    for index, word in enumerate(entry.server.command):
        hidden = index in entry.secret_words or (hide_next and not word.startswith("-"))
        shown.append(MASK if hidden else masked(word))
        option = _SECRET_OPTION.fullmatch(word)
        hide_next = bool(option and not option[2] and not option[3])
    return shown


def _variables(entry: ServerConfig) -> dict[str, str]:
    # A key written into the file in the clear is no reason to print it as well.
    shown = {
        name: MASK if name in entry.secret_env or _SECRET_NAME.search(name) else masked(value)
        for name, value in entry.server.env
    }
    for name, template in entry.server.personal_env:
        written = "".join(part if isinstance(part, str) else part.written() for part in template)
        secret = name in entry.secret_env or (
            _SECRET_NAME.search(name) and any(isinstance(part, str) for part in template)
        )
        shown[name] = MASK if secret else masked(written)
    return shown


def _roles(config: Config) -> dict[str, Any]:
    if not config.rules.roles:
        return {}
    return {"roles": {role: [selector(one) for one in named] for role, named in config.rules.roles}}


def _auth(config: Config) -> dict[str, Any]:
    tokens, registration = config.tokens, config.registration
    return {
        "enabled": config.auth.enabled,
        "providers": {
            connection.name: shown_connection(connection) for connection in config.auth.connections
        },
        "bare_names_belong_to": config.auth.default_connection,
        "allowed_users": _access(
            config.rules.gateway, absent="not declared: whoever a server names may come in"
        ),
        **_roles(config),
        "tokens": {
            "format": tokens.format,
            "access_ttl": show_seconds(tokens.access_ttl),
            "rotate_keys": show_seconds(tokens.rotate_keys),
            "refresh_ttl": show_seconds(tokens.refresh_ttl),
            "refresh_grace": show_seconds(tokens.refresh_grace),
            "code_ttl": show_seconds(tokens.code_ttl),
        },
        "resources": {
            entry.name: {
                "identifier": entry.uri,
                "title": entry.title,
                "scopes": list(entry.scopes),
                "introspection": "off" if entry.auth_method == "none" else entry.auth_method,
                "allowed_users": _access(
                    rules.allowed, absent="nobody" if config.rules.gateway is None else _INHERITED
                ),
            }
            for entry, rules in zip(config.resources, config.rules.resources, strict=True)
        },
        "clients": {client.id: _client(client) for client in config.clients},
        "registration": {
            "enabled": registration.enabled,
            "private_use_schemes": list(registration.private_use_schemes),
            "metadata_documents": registration.metadata_documents,
            "metadata_document_domains": list(registration.metadata_document_domains),
            "per_minute": registration.per_minute,
            "per_minute_per_address": registration.per_minute_per_address,
        },
        "pushed_requests": {
            "required": config.pushed_requests.required,
            "ttl": show_seconds(config.pushed_requests.ttl),
        },
        "dpop": {"required": config.dpop.required, "nonce": config.dpop.nonce},
        **_trust(config),
    }


def _trust(config: Config) -> dict[str, Any]:
    """Other issuers, if any is believed."""
    shown: dict[str, Any] = {}
    if config.external is not None:
        external, asked = config.external, config.external.introspection
        shown["external"] = {
            "name": external.name,
            **_issuer(external),
            "audiences": list(external.audiences) or "the URLs of the endpoints",
            "token_types": [kind or "none" for kind in external.token_types],
            "required_scopes": list(external.required_scopes),
            "scopes": list(external.scopes),
        }
        if asked is not None:
            shown["external"]["introspection"] = {
                "client_id": asked.client_id,
                "client_secret": MASK,
                "endpoint": _url(asked.endpoint) or "as discovered",
                "every_token": asked.every_token,
                "cache": show_seconds(asked.cache),
            }
    if config.assertions:
        shown["identity_assertions"] = {
            entry.name: {**_issuer(entry), "max_age": show_seconds(entry.longest)}
            for entry in config.assertions
        }
    return shown


def _issuer(issuer: Issuer) -> dict[str, Any]:
    claims = issuer.claims
    return {
        "issuer": issuer.issuer,
        "jwks_uri": _url(issuer.jwks_uri) or "as discovered",
        "algorithms": list(issuer.algorithms),
        "clients": list(issuer.clients) or "every client of the issuer",
        "subject_claim": claims.subject,
        "username_claim": claims.username,
        "email_claim": claims.email,
        "verified_email": not claims.email_verified,
        "name_claim": claims.name,
        "groups_claim": claims.groups,
        "unknown_people": issuer.unknown_people,
        "clock_skew": show_seconds(issuer.clock_skew),
    }


def _client(client: Client) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": client.name, "auth_method": client.auth_method}
    if client.secret_hash:
        shown["secret"] = MASK
    if client.old_secret_hash:
        shown["previous_secret"] = MASK
    if client.jwks:
        shown["jwks"] = "in the file"
    facts = {
        "jwks_uri": _url(client.jwks_uri),
        "signing_algorithm": client.signing_algorithm,
        "redirect_uris": list(client.redirect_uris),
        "grant_types": list(client.grant_types),
        "scopes": client.scope.split(),
        "servers": list(client.servers),
        **json.loads(client.metadata),
    }
    if uri := facts.get("backchannel_logout_uri"):
        facts["backchannel_logout_uri"] = _url(uri)
    return shown | {name: value for name, value in facts.items() if value}


def _access(allowed: AccessList, absent: str) -> list[str] | str:
    if allowed is None:
        return absent
    return [selector(entry) for entry in allowed] or "nobody"


def _forward_auth(config: Config) -> dict[str, Any]:
    """Left out where there is none."""
    rules = {entry.server: entry for entry in config.rules.servers}
    inherited = "nobody" if config.rules.gateway is None else "everybody on the gateway-wide list"
    shown = {
        target.name: {
            "url": target.url,
            "title": target.title,
            "sign_in": target.sign_in,
            "allowed_users": _access(rules[target.name].allowed, absent=inherited),
        }
        for target in config.forward_auth
    }
    return {"forward_auth": shown} if shown else {}


def _virtual_servers(config: Config) -> dict[str, Any]:
    """The section, or nothing if there are none."""
    rules = {entry.server: entry for entry in config.rules.servers}
    shown = {
        entry.virtual.name: _virtual(entry.virtual, rules[entry.virtual.name], config.rules.gateway)
        for entry in config.virtual
    }
    return {"virtual_servers": shown} if shown else {}


def _virtual(virtual: Virtual, rules: ServerRules, gateway: AccessList) -> dict[str, Any]:
    inherited = "nobody" if gateway is None else "everybody on the gateway-wide list"
    shown: dict[str, Any] = {"title": virtual.title} if virtual.title else {}
    shown["behind"] = list(virtual.sources)
    shown["allowed_users"] = _access(rules.allowed, absent=inherited)
    for kind in ("tool", "prompt"):
        named = {e.name: _exposed(e) for e in virtual.exposed if e.kind == kind}
        if named:
            shown[f"{kind}s"] = named
    if virtual.resources:
        shown["resources"] = {server: list(globs) for server, globs in virtual.resources}
    narrowed = {rule.glob: _access(rule.allowed, "") for rule in rules.tools}
    if narrowed:
        shown["only_for"] = narrowed
    return shown


def _exposed(entry: Exposed) -> str:
    """``tickets/search (with project)``: the values of fixed arguments may be secrets."""
    fixed = ", ".join(name for name, _ in entry.fixed)
    return f"{entry.server}/{entry.original}" + (f" (fixed: {fixed})" if fixed else "")


def _local(entry: ServerConfig) -> dict[str, Any]:
    return {
        "command": _words(entry),
        "env": _variables(entry),
        "cwd": entry.server.cwd,
        "allow_dangerous": entry.allow_dangerous,
    }


def _remote(entry: ServerConfig) -> dict[str, Any]:
    server = entry.server
    where = urlsplit(server.url)
    hidden = entry.secret_url and where.path not in ("", "/")
    path = f"/{MASK}" if hidden else where.path
    query = f"?{MASK}" if where.query else ""  # many a service takes its key there
    return {
        "url": f"{where.scheme}://{where.netloc}{path}{query}",
        "transport": server.transport,
        "headers": {
            name: MASK if name in entry.secret_headers or _SECRET_NAME.search(name) else masked(value)
            for name, value in server.headers
        },
    }


def _turns(server: Server) -> dict[str, Any]:
    if server.max_calls is None:
        return {}
    own = {"max_calls_per_user": server.max_calls_per_user} if server.max_calls_per_user else {}
    return {
        "max_calls": server.max_calls,
        **own,
        "max_calls_waiting": server.max_calls_waiting,
        "max_call_wait": show_seconds(server.max_call_wait),
    }


def _server(entry: ServerConfig, rules: ServerRules, gateway: AccessList) -> dict[str, Any]:
    server = entry.server
    inherited = "nobody" if gateway is None else "everybody on the gateway-wide list"
    shown: dict[str, Any] = {
        **(_remote(entry) if server.url else _local(entry)),
        "instances": server.instances,
        "idle_timeout": show_seconds(server.idle_timeout),
        "max_instances": server.max_instances,
        "max_instances_per_user": server.max_instances_per_user,
        "warm": server.warm,
        "max_waiting": server.max_waiting,
        "max_waiting_per_user": server.max_waiting_per_user,
        "max_wait": show_seconds(server.max_wait),
        **_turns(server),
        "max_line": show_size(server.max_line_bytes),
        "max_result": show_size(server.max_result_bytes),
        "start_timeout": show_seconds(server.start_timeout),
        "call_timeout": show_seconds(server.call_timeout),
        "probe_timeout": show_seconds(server.probe_timeout),
        "pins": server.pins,
        "requestable": entry.requestable,
        "allowed_users": _access(rules.allowed, absent=inherited),
    }
    for kind in ("tool", "prompt", "resource"):
        narrowed = {rule.glob: _access(rule.allowed, "") for rule in rules.tools if rule.kind == kind}
        if narrowed:
            shown[f"{kind}s"] = narrowed
    if server.title:
        shown["title"] = server.title
    return shown
