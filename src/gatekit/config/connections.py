"""``proxy.auth``: which providers people sign in with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from gatekit.config import document as doc
from gatekit.config.connection_rules import resolve_rules
from gatekit.config.connections_github import resolve_github
from gatekit.config.connections_ldap import resolve_ldap
from gatekit.config.connections_oidc import (
    resolve_entra,
    resolve_google,
    resolve_oidc,
    resolve_okta,
)
from gatekit.config.connections_saml import resolve_saml
from gatekit.config.faults import nearest
from gatekit.config.fields import Misfit, Place, kinds
from gatekit.config.model import AuthConfig, Connection, LocalConnection
from gatekit.config.provider_schema import GitHubKeys, LocalIn, Provider, ProviderIn, written_kind
from gatekit.config.schema import AuthIn
from gatekit.config.show_connections import MASK
from gatekit.config.trust import assertion_issuer, external_server
from gatekit.errors import ConfigError
from gatekit.model.connections import ConnectionRules
from gatekit.model.factors import LocalFactors
from gatekit.model.people import LOCAL, SERVICE, SERVICE_ACCOUNT
from gatekit.model.trust import AssertionIssuer, ExternalServer

INLINE = ("local", "github")
"""Kinds that need no entry under ``providers``."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_RESERVED = frozenset({"group", "org", "team", SERVICE, SERVICE_ACCOUNT})
"""Prefixes of selectors, which a connection of that name would make ambiguous."""

Resolver = Callable[[str, Any, ConnectionRules, doc.Path, doc.Document], Connection | None]
"""From the section of one kind to its connection; None after a fault that leaves nothing to work with."""

RESOLVERS: Mapping[str, Resolver] = {
    "github": resolve_github,
    "ldap": resolve_ldap,
    "google": resolve_google,
    "entra": resolve_entra,
    "okta": resolve_okta,
    "oidc": resolve_oidc,
    "saml": resolve_saml,
}
"""Every kind but ``local``."""

AUTH: doc.Path = ("proxy", "auth")
PROVIDERS: doc.Path = (*AUTH, "providers")


def resolve_trust(
    auth: AuthIn, document: doc.Document
) -> tuple[ExternalServer | None, tuple[AssertionIssuer, ...]]:
    """Who else is believed: the authorization server in charge, and issuers of identity assertions."""
    external = None
    if auth.external is not None:
        path: doc.Path = (*AUTH, "external")
        _check_name(auth.external.name, (*path, "name"), document)
        external = external_server(auth.external, path, document)
        for key in ("identity_assertions", "clients"):
            if getattr(auth, key):
                text = "is about tokens of Gatekit's own, and with `external` there are none"
                document.fault((*AUTH, key), text)
    assertions: list[AssertionIssuer] = []
    for name, written in auth.identity_assertions.items():
        place: doc.Path = (*AUTH, "identity_assertions", name)
        _check_name(name, place, document)
        if name in (auth.providers or {}) or name == auth.provider:
            # Its people would be taken for those of the provider wherever a list says `github:somebody`.
            document.fault(place, "is the name of a provider; choose another")
        if any(entry.issuer == written.issuer for entry in assertions):
            document.fault((*place, "issuer"), "stands in two entries: its people would be two people each")
        assertions.append(assertion_issuer(name, written, place, document))
    return external, tuple(assertions)


def _check_name(name: str, path: doc.Path, document: doc.Document) -> None:
    if not _NAME.fullmatch(name) or name in _RESERVED or name == LOCAL:
        text = (
            "cannot name a connection (small letters, digits, - and _; "
            "not local, group, org, team, service or client)"
        )
        document.fault(path, text)


def resolve_auth(auth: AuthIn, document: doc.Document) -> tuple[AuthConfig, tuple[str, ...], str | None]:
    """The connections; every name that the file gives one (even a faulty one); the owner of bare names."""
    if auth.external is not None:
        return _elsewhere(auth, auth.external.name, document)
    if auth.provider is not None and auth.providers is not None:
        document.fault((*AUTH, "providers"), "write either provider or providers, not both")
    if auth.providers is not None:
        _refuse_github_keys(auth, AUTH, document, "belongs into the entry under providers")
        names = tuple(auth.providers)
        found = [resolve_entry(name, entry, document) for name, entry in auth.providers.items()]
        if not names:
            document.fault((*AUTH, "providers"), "names no provider; write local or github")
        _own_tokens(found, document)
    else:
        names, found = _inline(auth, document)
    connections = tuple(connection for connection in found if connection is not None)
    bare = names[0] if len(names) == 1 else LOCAL if LOCAL in names else None
    config = AuthConfig(
        enabled=auth.enabled,
        connections=connections or (LocalConnection(),),
        default_connection=bare or (names[0] if names else LOCAL),
    )
    return config, names or (LOCAL,), bare


def _own_tokens(found: Sequence[Connection | None], document: doc.Document) -> None:
    """A SCIM token says which connection speaks: of two that have it, neither could be told."""
    first: dict[str, str] = {}
    for connection in found:
        provisioning = connection.rules.provisioning if connection is not None else None
        if connection is None or provisioning is None or not provisioning.token:
            continue
        other = first.setdefault(provisioning.token, connection.name)
        if other != connection.name:
            path = (*PROVIDERS, connection.name, "provisioning", "token")
            document.fault(path, f"is the token of {other} as well; each connection needs its own")


def _elsewhere(
    auth: AuthIn, name: str, document: doc.Document
) -> tuple[AuthConfig, tuple[str, ...], str | None]:
    """Nobody signs in here: another authorization server is in charge."""
    for key in ("provider", "providers"):
        if getattr(auth, key) is not None:
            text = "excludes `external`: people sign in at that authorization server"
            document.fault((*AUTH, key), text)
    _refuse_github_keys(auth, AUTH, document, "needs `provider: github`")
    return AuthConfig(enabled=auth.enabled, connections=(), default_connection=name), (name,), name


def _inline(auth: AuthIn, document: doc.Document) -> tuple[tuple[str, ...], list[Connection | None]]:
    if auth.provider == "github":
        return ("github",), [resolve_github("github", auth, ConnectionRules(), AUTH, document)]
    if auth.provider in (None, LOCAL):
        _refuse_github_keys(auth, AUTH, document, "needs `provider: github`")
        return (LOCAL,), [LocalConnection()]
    path = (*AUTH, "provider")
    close = nearest(auth.provider or "", INLINE)
    document.fault(
        path,
        f"unknown provider '{auth.provider}'{close}; known: {', '.join(INLINE)}; "
        "others stand under `providers`",
    )
    return (auth.provider or LOCAL,), []


def resolve_entry(
    name: str, entry: ProviderIn | LocalIn | None, document: doc.Document, within: doc.Path = PROVIDERS
) -> Connection | None:
    """One entry under ``providers``; None after a fault."""
    path = (*within, name)
    if not _NAME.fullmatch(name) or name in _RESERVED:
        text = (
            "cannot be the name of a connection (small letters, digits, - and _; "
            "not group, org, team, service or client)"
        )
        document.fault(path, text)
        return None
    if (name == LOCAL) != isinstance(entry, LocalIn) and entry is not None:
        document.fault(path, "the connection `local` is the embedded one, and there is only that one")
        return None
    if isinstance(entry, LocalIn):
        return LocalConnection(
            rules=ConnectionRules(title=entry.title or "", enabled=entry.enabled),
            factors=LocalFactors(passkeys=entry.passkeys, second_factor=entry.second_factor),
        )
    if entry is None:
        return None
    kind = str(written_kind(name, {"type": entry.type}))
    return RESOLVERS[kind](name, entry, resolve_rules(entry, path, document), path, document)


def _refuse_github_keys(keys: AuthIn, path: doc.Path, document: doc.Document, why: str) -> None:
    for key in kinds(GitHubKeys):
        if getattr(keys, key) is not None:
            document.fault((*path, key), why)


def read_literal(name: str, entry: Mapping[str, Any]) -> Connection:
    """The same for an entry that came over the network: nothing in it names files or variables of this
    machine, and nothing in it is a secret as it is shown. Raises ``ConfigError``."""
    faults = [f"{'.'.join(path)}: {why}" for path, why in _not_literal(entry, ())]
    if faults:
        raise ConfigError(faults)
    return read_entry(name, entry)


def _not_literal(value: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key.endswith("_file"):
                yield (*path, key), "names a file of the gateway's machine; use the command line"
            yield from _not_literal(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _not_literal(item, (*path, str(index)))
    elif isinstance(value, str) and "${" in value:
        yield path, "references are read at the command line and in the file only; write the value"
    elif value == MASK:
        yield path, f"{MASK} stands for a secret that is not shown; write the secret"


def read_entry(name: str, entry: Mapping[str, Any]) -> Connection:
    """One entry that does not stand in the file, with the same keys. Raises ``ConfigError``."""
    document = doc.Document(data={}, lines={(): 1})
    path = (*PROVIDERS, name)
    place = Place(document, path, frozenset(), lambda _: "unknown key")
    read = Provider().read(dict(entry), place)
    found = None if read is Misfit else resolve_entry(name, read, document)
    if document.faults or found is None:
        faults = [f"{'.'.join(map(str, fault.path))}: {fault.text}" for fault in document.faults]
        raise ConfigError(faults or [f"{name}: cannot be read"])
    return found
