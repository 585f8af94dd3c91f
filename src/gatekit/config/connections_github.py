"""Connections of the kind ``github``."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from gatekit.config import document as doc
from gatekit.config.addresses import secure_origin
from gatekit.config.model import GitHubConnection
from gatekit.config.provider_schema import GitHubIn, GitHubKeys
from gatekit.model.connections import ConnectionRules


def resolve_github(
    name: str, keys: GitHubIn | GitHubKeys, rules: ConnectionRules, path: doc.Path, document: doc.Document
) -> GitHubConnection | None:
    """One connection; None after a fault that leaves nothing to work with."""
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
        title=rules.title or ("GitHub" if name == "github" else name),
        rules=_lower(rules),
    )


def _lower(rules: ConnectionRules) -> ConnectionRules:
    """GitHub's names are the same in every case; ours of its organisations and teams are lower case."""
    admit = replace(rules.admit, groups=tuple(name.lower() for name in rules.admit.groups))
    mapped = tuple((name.lower(), local) for name, local in rules.groups.mapped)
    return replace(rules, admit=admit, groups=replace(rules.groups, mapped=mapped))


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
