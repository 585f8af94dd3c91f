"""``proxy.auth.resources``: resource servers elsewhere, for which we issue access tokens."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from gatekit.config import document as doc
from gatekit.config.addresses import origin
from gatekit.config.connections import AUTH
from gatekit.config.credentials import NO_SCOPE, TOO_SHORT, is_scope, is_too_short, secret_hash
from gatekit.config.schema import AuthIn, ResourceIn
from gatekit.config.selectors import Selectors
from gatekit.config.trust import secure_url
from gatekit.model.oauth import TokenAuthMethod
from gatekit.model.resource import ResourceServer
from gatekit.model.rules import ServerRules
from gatekit.model.scopes import ALL, WHOLE

PLACE = "proxy.auth.resources"

_URI = re.compile(r"[a-z][a-z0-9+.-]*:[!$&-;=?-Z_a-z~%@\[\]]{1,500}")
"""RFC 8707 §2: an absolute URI without a fragment."""
_RESERVED = frozenset((*ALL, WHOLE, "openid", "profile", "email", "groups", "offline_access"))
_OWN = ("", "/mcp", "/sse")
"""With everything below /s/: what our own endpoints are called."""


class ResourceServers:
    """Resolves the resource servers of one file."""

    def __init__(
        self,
        document: doc.Document,
        selectors: Selectors,
        check_name: Callable[[str, doc.Path], None],
        public_url: str,
    ) -> None:
        """``check_name``: says what is wrong with a name, in one namespace with the names of servers."""
        self._document = document
        self._selectors = selectors
        self._check_name = check_name
        self._public_url = public_url
        self._seen: dict[str, str] = {}

    def resolve(self, auth: AuthIn) -> tuple[tuple[ResourceServer, ...], tuple[ServerRules, ...]]:
        """Everything in the order of the file."""
        resources = auth.resources
        if auth.external is not None and resources:
            text = (
                "are of no use with `external`: that authorization server issues the tokens, and not Gatekit"
            )
            self._document.fault((*AUTH, "resources"), text)
        found = [self._one(name, section, (*AUTH, "resources", name)) for name, section in resources.items()]
        rules = [
            ServerRules(
                server=name,
                place=PLACE,
                allowed=self._selectors.access(section, (*AUTH, "resources", name)),
            )
            for name, section in resources.items()
        ]
        return tuple(found), tuple(rules)

    def _one(self, name: str, section: ResourceIn, path: doc.Path) -> ResourceServer:
        self._check_name(name, path)
        self._check_identifier(name, section.identifier, (*path, "identifier"))
        for index, scope in enumerate(section.scopes):
            self._check_scope(scope, (*path, "scopes", index))
        method = self._method(section, path)
        return ResourceServer(
            name=name,
            uri=section.identifier,
            title=section.title or name,
            scopes=tuple(dict.fromkeys(section.scopes)),
            auth_method=method,
            secret_hash=secret_hash(section.introspection_secret),
            jwks_uri=section.introspection_jwks_uri or "",
        )

    def _method(self, section: ResourceIn, path: doc.Path) -> TokenAuthMethod:
        """How it proves itself when it asks about a token."""
        secret, uri = section.introspection_secret, section.introspection_jwks_uri
        if is_too_short(secret):
            self._document.fault((*path, "introspection_secret"), TOO_SHORT)
        if uri is None:
            return section.introspection_auth if secret is not None else "none"
        place = (*path, "introspection_jwks_uri")
        if secret is not None:
            self._document.fault(place, "write either a secret or where its keys are, not both")
        try:
            secure_url(uri)
        except ValueError as error:
            self._document.fault(place, str(error))
        return "private_key_jwt"

    def _check_identifier(self, name: str, uri: str, path: doc.Path) -> None:
        if self._document.faulty(path):
            return
        if not _URI.fullmatch(uri):
            text = "must be an absolute URI without a fragment, like https://reports.example.com/api"
            self._document.fault(path, text)
            return
        folded = uri.lower().removesuffix("/")
        if self._seen.setdefault(folded, name) != name:
            self._document.fault(path, "is the identifier of another one already")
        if uri.startswith(("http:", "https:")):
            self._check_url(uri, path)

    def _check_url(self, uri: str, path: doc.Path) -> None:
        try:
            parts = urlsplit(uri)
            where = origin(f"{parts.scheme}://{parts.netloc}")
        except ValueError as error:
            self._document.fault(path, f"is not a URL: {error}")
            return
        if parts.query or "?" in uri:
            self._document.fault(path, "must not hold a query (RFC 8707 §2)")
        elif where == self._public_url and (parts.path.rstrip("/") in _OWN or parts.path.startswith("/s/")):
            # A token for it would be a token for one of our own endpoints.
            self._document.fault(path, "is Gatekit itself; name the API that takes the tokens")

    def _check_scope(self, scope: str, path: doc.Path) -> None:
        if not is_scope(scope):
            self._document.fault(path, NO_SCOPE)
        elif scope in _RESERVED:
            self._document.fault(path, f"`{scope}` has a meaning of its own here; choose another name")
