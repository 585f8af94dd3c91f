"""``proxy.auth.clients``: OAuth clients that the operator names, instead of letting them register."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from gatekit.config import document as doc
from gatekit.config.connections import AUTH
from gatekit.config.credentials import NO_SCOPE, TOO_SHORT, is_scope, is_too_short, secret_hash
from gatekit.config.faults import nearest
from gatekit.config.schema import ClientIn
from gatekit.errors import InvalidClientMetadata
from gatekit.model.oauth import (
    CLIENT_CREDENTIALS,
    DEVICE_CODE,
    JWT_BEARER,
    TOKEN_EXCHANGE,
    Client,
    TokenAuthMethod,
)
from gatekit.model.scopes import ALL, CALL, READ, WHOLE
from gatekit.oauth.redirects import Unusable, judge

PLACE: doc.Path = (*AUTH, "clients")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_URL = re.compile(r"https://[!$&-;=?-Z_a-z~%]{1,480}")
_FOREVER = 1 << 40
_SIGNING_IN = ("authorization_code", "refresh_token")
_GRANT_TYPES: Mapping[str, str] = {
    **{name: name for name in (*_SIGNING_IN, CLIENT_CREDENTIALS)},
    "device_code": DEVICE_CODE,
    "token_exchange": TOKEN_EXCHANGE,
    "jwt_bearer": JWT_BEARER,
}
"""What is written → what it is called on the wire; the latter may be written as well."""


class Clients:
    """Resolves the clients of one file."""

    def __init__(self, document: doc.Document, schemes: Sequence[str], servers: Sequence[str]) -> None:
        """``schemes``: private-use schemes that a redirect URI may have. ``servers``: everything that is
        published under a name of its own."""
        self._document = document
        self._schemes = tuple(schemes)
        self._servers = tuple(servers)

    def resolve(self, written: Mapping[str, ClientIn]) -> tuple[Client, ...]:
        """Everything in the order of the file."""
        seen: dict[str, str] = {}
        found = []
        for ident, section in written.items():
            path = (*PLACE, ident)
            # Access lists do not look at case, so two that differ only in it could not be told apart.
            if (first := seen.setdefault(ident.lower(), ident)) != ident:
                self._fault(path, f"there is '{first}' already (case does not count)")
            found.append(self._one(ident, section, path))
        return tuple(found)

    def _one(self, ident: str, section: ClientIn, path: doc.Path) -> Client:
        method = self._method(section, path)
        grants = self._grant_types(section, path)
        self._check_name(ident, grants, path)
        self._check_redirects(section, grants, path)
        for index, name in enumerate(section.servers):
            if name not in self._servers:
                text = f"there is no server '{name}'{nearest(name, self._servers)}"
                self._fault((*path, "servers", index), text)
        if CLIENT_CREDENTIALS in grants and method == "none":
            self._fault((*path, "grant_types"), f"{CLIENT_CREDENTIALS} needs a secret, jwks or a jwks_uri")
        jwks, jwks_uri, algorithm = self._keys(section, path) if method == "private_key_jwt" else ("", "", "")
        return Client(
            id=ident,
            name=section.name or ident,
            redirect_uris=section.redirect_uris,
            auth_method=method,
            secret_hash=secret_hash(section.secret) if method.startswith("client_secret") else None,
            old_secret_hash=secret_hash(section.previous_secret),
            old_secret_until=_FOREVER if section.previous_secret else 0,
            jwks=jwks,
            jwks_uri=jwks_uri,
            signing_algorithm=algorithm,
            grant_types=grants,
            scope=" ".join(self._scopes(section, path)),
            servers=tuple(dict.fromkeys(section.servers)),
            metadata=_metadata(section),
            source="configured",
        )

    def _check_name(self, ident: str, grants: Sequence[str], path: doc.Path) -> None:
        service = CLIENT_CREDENTIALS in grants
        # The name of a principal is written in one way only: lists do not look at its case.
        folded = service and ident != ident.lower()
        if _NAME.fullmatch(ident) and not ident.startswith("gkc_") and not folded:
            return
        if _URL.fullmatch(ident) and not service:
            return  # one that publishes a metadata document, which is not asked any more
        text = "cannot identify a client: letters, digits, . _ -, not beginning with gkc_; or an https URL"
        if service:
            text = (
                "cannot identify a client that acts for itself: small letters, digits, . _ - (lists name it)"
            )
        self._fault(path, text)

    def _method(self, section: ClientIn, path: doc.Path) -> TokenAuthMethod:
        """How it proves itself; what is written besides must fit."""
        keys = section.jwks is not None or section.jwks_uri is not None
        method: TokenAuthMethod = section.auth_method or (
            "private_key_jwt" if keys else "client_secret_basic" if section.secret else "none"
        )
        by_secret = method in ("client_secret_basic", "client_secret_post")
        if by_secret and section.secret is None:
            self._fault((*path, "secret"), f"is required for {method}")
        for key in ("secret", "previous_secret"):
            value = getattr(section, key)
            if value is not None and not by_secret:
                self._fault((*path, key), f"is not used with {method}")
            elif is_too_short(value):
                self._fault((*path, key), TOO_SHORT)
        if keys and method != "private_key_jwt":
            self._fault(
                (*path, "jwks" if section.jwks is not None else "jwks_uri"), f"is not used with {method}"
            )
        return method

    def _grant_types(self, section: ClientIn, path: doc.Path) -> tuple[str, ...]:
        if section.grant_types is None:
            return _SIGNING_IN if section.redirect_uris else (CLIENT_CREDENTIALS,)
        found: dict[str, None] = {}
        for index, written in enumerate(section.grant_types):
            name = _GRANT_TYPES.get(written, written)
            if name not in _GRANT_TYPES.values():
                known = ", ".join(_GRANT_TYPES)
                close = nearest(written, _GRANT_TYPES)
                self._fault((*path, "grant_types", index), f"unknown grant type{close}; known: {known}")
            found[name] = None
        if not found:
            self._fault((*path, "grant_types"), "is empty, so the client could do nothing")
        return tuple(found)

    def _check_redirects(self, section: ClientIn, grants: Sequence[str], path: doc.Path) -> None:
        place = (*path, "redirect_uris")
        for index, uri in enumerate(section.redirect_uris):
            judgement = judge(uri, self._schemes)
            if isinstance(judgement, Unusable):
                self._fault((*place, index), judgement.reason)
        for key in ("post_logout_redirect_uris", "backchannel_logout_uri"):
            value = getattr(section, key)
            for uri in (value,) if isinstance(value, str) else value or ():
                if isinstance(judgement := judge(uri, self._schemes), Unusable):
                    self._fault((*path, key), f"{uri} {judgement.reason}")
        if "authorization_code" in grants and not section.redirect_uris:
            self._fault(place, "is required: where people come back to after they signed in")
        if "authorization_code" not in grants and section.redirect_uris:
            self._fault(place, "is of no use without the grant type authorization_code")

    def _keys(self, section: ClientIn, path: doc.Path) -> tuple[str, str, str]:
        # Only files that hold keys pay for the library that reads them.
        from gatekit.oauth.client_metadata import published_keys  # noqa: PLC0415

        metadata: dict[str, Any] = {
            "jwks": section.jwks,
            "jwks_uri": section.jwks_uri,
            "token_endpoint_auth_signing_alg": section.signing_algorithm,
        }
        place = (*path, "jwks") if section.jwks is not None else (*path, "jwks_uri")
        try:
            if isinstance(section.jwks, str):
                metadata["jwks"] = json.loads(section.jwks)
            found = published_keys(metadata)
        except InvalidClientMetadata as bad:
            self._fault(place, bad.description)
        except ValueError:
            self._fault(place, "is not a JWK set in JSON")
        else:
            return found.jwks, found.jwks_uri, found.algorithm
        return "", "", ""

    def _scopes(self, section: ClientIn, path: doc.Path) -> tuple[str, ...]:
        for index, scope in enumerate(section.scopes):
            place = (*path, "scopes", index)
            if not is_scope(scope):
                self._fault(place, NO_SCOPE)
            elif scope.startswith("mcp") and scope not in (*ALL, WHOLE):
                self._fault(place, f"unknown scope{nearest(scope, ALL)}; known: {', '.join(ALL)}")
        found = dict.fromkeys(section.scopes)
        # Nobody calls a tool without having read what it takes.
        return tuple(dict.fromkeys((READ, *found)) if CALL in found else found)

    def _fault(self, path: doc.Path, text: str) -> None:
        if not self._document.faulty(path):
            self._document.fault(path, text)


def services_of(clients: Sequence[Client]) -> tuple[str, ...]:
    """Ids of those that act for themselves, and so can stand on lists."""
    return tuple(client.id for client in clients if CLIENT_CREDENTIALS in client.grant_types)


def _metadata(section: ClientIn) -> str:
    """What else is known of it, as a registration would have said it (RFC 7591 §2)."""
    written: dict[str, Any] = {
        "post_logout_redirect_uris": list(section.post_logout_redirect_uris),
        "backchannel_logout_uri": section.backchannel_logout_uri,
        "id_token_signed_response_alg": section.id_token_algorithm,
        "require_pushed_authorization_requests": section.pushed_requests_only,
        "dpop_bound_access_tokens": section.dpop_only,
    }
    found = {name: value for name, value in written.items() if value}
    return json.dumps(found, sort_keys=True, separators=(",", ":"))
