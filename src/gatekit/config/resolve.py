"""From the validated file to the ``Config``: defaults that depend on each other, paths, meaning."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gatekit.config import document as doc
from gatekit.config.addresses import host_of, is_loopback, listen_host, network, origin, secure_origin
from gatekit.config.approvals import resolve_approvals
from gatekit.config.clients import Clients, services_of
from gatekit.config.connections import AUTH, resolve_auth, resolve_trust
from gatekit.config.forward import resolve_targets
from gatekit.config.model import (
    AggregateSettings,
    AuditSettings,
    AuthConfig,
    Config,
    DpopSettings,
    Limits,
    PushedSettings,
    RegistrationSettings,
    SessionSettings,
    TokenSettings,
)
from gatekit.config.plugins import Plugins
from gatekit.config.policy_tests import PolicyTests
from gatekit.config.quotas import Quotabook
from gatekit.config.references import References
from gatekit.config.resources import ResourceServers
from gatekit.config.rulebook import Rulebook
from gatekit.config.schema import AuthIn, FileIn, ProxyIn, RolesIn, SessionsIn
from gatekit.config.selectors import GROUP_NAME, Selectors
from gatekit.config.servers import Servers
from gatekit.config.virtual import VirtualServers
from gatekit.model.oauth import Client
from gatekit.model.people import Role
from gatekit.model.rules import Anyone, Rules, Selector, ServerRules
from gatekit.model.trust import AssertionIssuer, ExternalServer
from gatekit.policy.ruling import fault_of_rule

_DOMAIN = re.compile(r"(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_NEVER_SCHEMES = frozenset(
    [
        "http",
        "https",
        "javascript",
        "data",
        "file",
        "vbscript",
        "blob",
        "about",
        "ftp",
        "ws",
        "wss",
        "mailto",
        "tel",
    ]
)


def resolve(file: FileIn, document: doc.Document, references: References, path: Path) -> Config:
    """Build the Config. What is wrong is added to the document's faults; then the result must not be used."""
    base = path.parent
    host, public_url = _addresses(file.proxy, document)
    auth, names, bare = resolve_auth(file.proxy.auth, document)
    _check_disabled(auth, host, public_url, document)
    external, assertions = resolve_trust(file.proxy.auth, document)
    issuers = _issuers(auth, external, assertions)
    registration = _registration(file.proxy.auth, document)
    clients = _clients(file, registration, document)
    selectors = Selectors(document, names, bare, tuple(file.groups), issuers, services_of(clients))
    real = Servers(document, references, selectors, base)
    servers, server_rules = real.resolve(file.servers)
    real_names = frozenset(entry.server.name for entry in servers)
    virtuals = VirtualServers(document, selectors, real_names, real.check_name)
    virtual, virtual_rules = virtuals.resolve(file.virtual_servers)
    others = ResourceServers(document, selectors, real.check_name, public_url)
    resources, resource_rules = others.resolve(file.proxy.auth)
    uris = {r.uri: r.name for r in resources}
    targets, target_rules = resolve_targets(
        file.proxy, public_url, selectors, real.check_name, document, uris
    )
    server_rules += virtual_rules + target_rules
    rules = _rules(file, selectors, document, server_rules, resource_rules)
    return Config(
        path=path,
        host=host,
        port=file.proxy.port,
        public_url=public_url,
        data_dir=(base / file.data_dir).absolute(),
        auth=auth,
        external=external,
        assertions=assertions,
        rules=rules,
        policy_tests=PolicyTests(document, selectors, rules.servers + rules.resources).resolve(
            file.policy_tests
        ),
        servers=servers,
        virtual=virtual,
        plugins=Plugins(document, references, path).resolve(file),
        resources=resources,
        tokens=_tokens(file.proxy.auth, document),
        registration=registration,
        clients=clients,
        pushed_requests=_pushed_requests(file.proxy.auth),
        dpop=DpopSettings(required=file.proxy.auth.dpop.required, nonce=file.proxy.auth.dpop.nonce),
        allowed_origins=_each(origin, file.proxy.allowed_origins, ("proxy", "allowed_origins"), document),
        trusted_proxies=_each(network, file.proxy.trusted_proxies, ("proxy", "trusted_proxies"), document),
        aggregate=AggregateSettings(page_size=file.aggregate.page_size, patience=file.aggregate.patience),
        audit=AuditSettings(durability=file.audit.durability),
        sessions=_sessions(file.sessions),
        approvals=resolve_approvals(file.approvals, document),
        forward_auth=targets,
        legacy_sse=file.proxy.legacy_sse,
        drain_timeout=file.proxy.drain_timeout,
        limits=Limits(max_body_bytes=file.limits.max_body, max_depth=file.limits.max_depth),
        secret_files=tuple(references.files),
    )


def _rules(
    file: FileIn,
    selectors: Selectors,
    document: doc.Document,
    servers: tuple[ServerRules, ...],
    resources: tuple[ServerRules, ...],
) -> Rules:
    auth = file.proxy.auth
    return Rules(
        gateway=selectors.access(auth, AUTH),
        groups=_groups(file.groups, selectors, document),
        servers=servers,
        resources=resources,
        roles=_roles(auth.roles, selectors, document),
        rules=Rulebook(document, selectors, servers + resources, fault_of_rule).resolve(file.rules),
        quotas=Quotabook(document, selectors, servers + resources, fault_of_rule).quotas(file.quotas),
        auth_enabled=auth.enabled,
    )


def _issuers(
    auth: AuthConfig, external: ExternalServer | None, assertions: Sequence[AssertionIssuer]
) -> tuple[str, ...]:
    """Connections whose people have names of any shape: all but our own and GitHub's."""
    named = [external.name] if external else []
    named += [entry.name for entry in assertions]
    return (*named, *(entry.name for entry in auth.connections if entry.kind not in ("local", "github")))


def _clients(file: FileIn, registration: RegistrationSettings, document: doc.Document) -> tuple[Client, ...]:
    servers = file.servers if isinstance(file.servers, dict) else [entry.name for entry in file.servers]
    # Every name that a client may be limited to.
    published = (*servers, *file.virtual_servers, *file.proxy.auth.resources, *file.proxy.forward_auth)
    return Clients(document, registration.private_use_schemes, published).resolve(file.proxy.auth.clients)


def _addresses(proxy: ProxyIn, document: doc.Document) -> tuple[str, str]:
    """Where to listen, and what clients call it; the latter is the issuer, so never guessed off loopback."""
    (host,) = _each(listen_host, (proxy.host,), ("proxy", "host"), document, indexed=False)
    place = ("proxy", "public_url")
    if proxy.public_url is not None:
        (public_url,) = _each(secure_origin, (proxy.public_url,), place, document, indexed=False)
        if public_url.startswith("http://") and not is_loopback(host):
            text = f"is plain http while the gateway listens on {host}; others can read tokens on the wire"
            document.note(place, text)
        return host, public_url
    if not is_loopback(host):
        text = f"is required when the gateway listens on {host}: clients must be told where it is"
        document.fault(place, text)
    return host, f"http://localhost:{proxy.port}"


def _check_disabled(auth: AuthConfig, host: str, public_url: str, document: doc.Document) -> None:
    if auth.enabled or (is_loopback(host) and is_loopback(host_of(public_url))):
        return
    text = (
        "may only be false while host and public_url stay on this machine (anybody could call every server)"
    )
    document.fault((*AUTH, "enabled"), text)


def _roles(
    written: RolesIn, selectors: Selectors, document: doc.Document
) -> tuple[tuple[Role, tuple[Selector, ...]], ...]:
    """Who may do what to others. A role for everybody is refused, however many lists allow everybody in."""
    found: list[tuple[Role, tuple[Selector, ...]]] = []
    lists: tuple[tuple[Role, Sequence[str]], ...] = (
        ("owner", written.owner),
        ("admin", written.admin),
        ("auditor", written.auditor),
    )
    for role, entries in lists:
        place = (*AUTH, "roles", role)
        chosen = selectors.many(entries, place)
        if any(isinstance(selector, Anyone) for selector in chosen):
            document.fault(place, "a role is for some people and not for everybody ('*')")
        if chosen:
            found.append((role, chosen))
    return tuple(found)


def _groups(
    declared: Mapping[str, Sequence[str]], selectors: Selectors, document: doc.Document
) -> tuple[tuple[str, tuple[Selector, ...]], ...]:
    return tuple((name, _group(name, members, selectors, document)) for name, members in declared.items())


def _group(
    name: str, members: Sequence[str], selectors: Selectors, document: doc.Document
) -> tuple[Selector, ...]:
    if not GROUP_NAME.fullmatch(name):
        document.fault(("groups", name), "is not a group name (letters, digits, _ . -)")
    return selectors.many(members, ("groups", name))


def _tokens(auth: AuthIn, document: doc.Document) -> TokenSettings:
    if 0 < auth.tokens.rotate_keys < 86400:
        # Each key stays published as long as its tokens live: a key a minute would be a JWK set of hundreds.
        document.fault((*AUTH, "tokens", "rotate_keys"), "must be at least 1d, or 0 for never")
    return TokenSettings(
        format=auth.tokens.format,
        access_ttl=int(auth.tokens.access_ttl),
        rotate_keys=int(auth.tokens.rotate_keys),
        refresh_ttl=int(auth.tokens.refresh_ttl),
        refresh_grace=int(auth.tokens.refresh_grace),
        code_ttl=int(auth.tokens.code_ttl),
    )


def _pushed_requests(auth: AuthIn) -> PushedSettings:
    return PushedSettings(required=auth.pushed_requests.required, ttl=int(auth.pushed_requests.ttl))


def _sessions(written: SessionsIn) -> SessionSettings:
    return SessionSettings(
        idle_timeout=written.idle_timeout,
        max_per_user=written.max_per_user,
        keepalive=written.keepalive,
        stream_life=written.stream_life,
        replay_bytes=written.replay,
        replay_total_bytes=written.replay_total,
    )


def _registration(auth: AuthIn, document: doc.Document) -> RegistrationSettings:
    written = auth.registration
    place = (*AUTH, "registration", "private_use_schemes")
    return RegistrationSettings(
        enabled=written.enabled,
        private_use_schemes=_each(_private_scheme, written.private_use_schemes, place, document),
        metadata_documents=written.metadata_documents,
        metadata_document_domains=_each(
            _domain,
            written.metadata_document_domains,
            (*AUTH, "registration", "metadata_document_domains"),
            document,
        ),
        per_minute=written.per_minute,
        per_minute_per_address=written.per_minute_per_address,
    )


def _domain(text: str) -> str:
    domain = text.lower()
    if not _DOMAIN.fullmatch(domain):
        raise ValueError("expected a host name like example.com, or *.example.com for all below it")
    return domain


def _private_scheme(text: str) -> str:
    scheme = text.lower().removesuffix("://").removesuffix(":")
    if not _SCHEME.fullmatch(scheme):
        raise ValueError("expected a URI scheme like cursor")
    if scheme in _NEVER_SCHEMES:
        # RFC 8252 §7.1 is about apps; a browser would run or show these itself.
        raise ValueError(f"{scheme} can never be a private-use scheme")
    return scheme


def _each(
    read: Callable[[str], str],
    values: Sequence[str],
    place: doc.Path,
    document: doc.Document,
    indexed: bool = True,
) -> tuple[str, ...]:
    """``read`` every value; what it refuses becomes a fault and stays as it was written."""
    found: list[str] = []
    for index, value in enumerate(values):
        try:
            found.append(read(value))
        except ValueError as error:
            document.fault((*place, index) if indexed else place, str(error))
            found.append(value)
    return tuple(found)
