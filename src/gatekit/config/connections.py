"""``proxy.auth``: which providers people sign in with."""

from __future__ import annotations

import re
from collections.abc import Callable

from gatekit.config import document as doc
from gatekit.config.addresses import secure_origin
from gatekit.config.faults import nearest
from gatekit.config.fields import kinds
from gatekit.config.model import AuthConfig, Connection, GitHubConnection, LocalConnection
from gatekit.config.schema import AuthIn, GitHubKeys, ProviderIn
from gatekit.config.trust import assertion_issuer, external_server
from gatekit.model.people import LOCAL, SERVICE
from gatekit.model.trust import AssertionIssuer, ExternalServer

KINDS = ("local", "github")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_RESERVED = frozenset({"group", "org", "team", SERVICE})
"""Prefixes of selectors, which a connection of that name would make ambiguous."""

AUTH: doc.Path = ("proxy", "auth")


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
            "cannot name a connection (small letters, digits, - and _; not local, group, org, team or client)"
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
        found = [_entry(name, entry, document) for name, entry in auth.providers.items()]
        if not names:
            document.fault((*AUTH, "providers"), "names no provider; write local or github")
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
        return ("github",), [_github("github", auth, AUTH, document)]
    if auth.provider in (None, LOCAL):
        _refuse_github_keys(auth, AUTH, document, "needs `provider: github`")
        return (LOCAL,), [LocalConnection()]
    path = (*AUTH, "provider")
    close = nearest(auth.provider or "", KINDS)
    document.fault(path, f"unknown provider '{auth.provider}'{close}; known: {', '.join(KINDS)}")
    return (auth.provider or LOCAL,), []


def _entry(name: str, entry: ProviderIn, document: doc.Document) -> Connection | None:
    path = (*AUTH, "providers", name)
    if not _NAME.fullmatch(name) or name in _RESERVED:
        text = (
            "cannot be the name of a connection (small letters, digits, - and _; "
            "not group, org, team or client)"
        )
        document.fault(path, text)
        return None
    kind = entry.type or (name if name in KINDS else None)
    if kind is None:
        document.fault(path, f"needs a type: {' or '.join(KINDS)}")
        return None
    if kind == "github" and name != LOCAL:
        return _github(name, entry, path, document, title=entry.title)
    if name != LOCAL or kind != LOCAL:
        document.fault(path, "the connection `local` is the embedded one, and there is only that one")
        return None
    _refuse_github_keys(entry, path, document, "is not used by local accounts")
    return LocalConnection()


def _refuse_github_keys(keys: GitHubKeys, path: doc.Path, document: doc.Document, why: str) -> None:
    for key in kinds(GitHubKeys):
        if getattr(keys, key) is not None:
            document.fault((*path, key), why)


def _github(
    name: str, keys: GitHubKeys, path: doc.Path, document: doc.Document, title: str | None = None
) -> GitHubConnection | None:
    for key in ("client_id", "client_secret"):
        if getattr(keys, key) is None:
            document.fault(
                (*path, key), f"is required for {name}: GitHub shows it where the OAuth app is registered"
            )
    base_url = _url(secure_origin, keys.base_url or "https://github.com", (*path, "base_url"), document)
    derived = _api_url(base_url)
    api_url = _url(_api_base, keys.api_url, (*path, "api_url"), document) if keys.api_url else derived
    if keys.client_id is None or keys.client_secret is None:
        return None
    return GitHubConnection(
        name=name,
        client_id=keys.client_id,
        client_secret=keys.client_secret,
        base_url=base_url,
        api_url=api_url,
        allowed_orgs=tuple(keys.allowed_orgs or ()),
        title=title or ("GitHub" if name == "github" else name),
    )


def _api_base(text: str) -> str:
    """An origin and perhaps a path, as GHES has it (``/api/v3``)."""
    scheme, mark, rest = text.rstrip("/").partition("://")
    host, slash, path = rest.partition("/")
    if any(mark in path for mark in "?#\\ "):
        raise ValueError("must not hold a query or fragment")
    return secure_origin(f"{scheme}{mark}{host}") + slash + path


def _api_url(base_url: str) -> str:
    """Where GitHub answers API calls: its own host in the cloud, ``/api/v3`` on a server of one's own."""
    scheme, _, host = base_url.partition("://")
    if host == "github.com" or host.endswith(".ghe.com"):
        return f"{scheme}://api.{host}"
    return f"{base_url}/api/v3"


def _url(read: Callable[[str], str], text: str, path: doc.Path, document: doc.Document) -> str:
    try:
        return read(text)
    except ValueError as error:
        document.fault(path, str(error))
        return text
