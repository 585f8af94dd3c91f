"""Discovery documents: RFC 8414 (served as OpenID discovery as well), RFC 9728, JWKS.

Everything is made from the configured issuer, never from the request (checklist D9).
"""

from __future__ import annotations

from typing import Any, get_args

from starlette.requests import Request
from starlette.responses import Response

from gatekit.model.factors import CLASSES
from gatekit.model.oauth import CLIENT_CREDENTIALS, JWT_BEARER, TOKEN_EXCHANGE
from gatekit.oauth.client_metadata import GRANT_TYPES, SIGNING_ALGORITHMS
from gatekit.oauth.core import Core
from gatekit.oauth.dpop import ALGORITHMS
from gatekit.oauth.grants.identity_assertion import PROFILE
from gatekit.oauth.http import json_answer
from gatekit.oauth.registration import AUTH_METHODS
from gatekit.oauth.relying import IDENTITY_SCOPES
from gatekit.oauth.resources import AGGREGATE
from gatekit.oauth.statements import Algorithm

CACHED = {"Cache-Control": "public, max-age=60", "Pragma": "", "X-Content-Type-Options": "nosniff"}


CLAIMS = (
    *("sub", "iss", "aud", "exp", "iat", "auth_time", "acr", "amr", "nonce", "sid"),
    *("name", "preferred_username", "email", "email_verified", "groups"),
)


class Metadata:
    """The GET endpoints below /.well-known/ and /jwks."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def authorization_server(self, _request: Request) -> Response:
        """RFC 8414 §3.2."""
        return _document(self.document())

    async def openid(self, _request: Request) -> Response:
        """OpenID Connect Discovery §4.2: the same document, and what only relying parties ask for. MCP
        clients that look nowhere else find everything of theirs in it (clients.md §5.5)."""
        issuer = self._core.settings.issuer
        base = self.document()
        return _document(
            base
            | {
                "scopes_supported": [*base["scopes_supported"], *IDENTITY_SCOPES],
                "userinfo_endpoint": f"{issuer}/userinfo",
                "end_session_endpoint": f"{issuer}/end_session",
                "backchannel_logout_supported": self._core.services.send is not None,
                "backchannel_logout_session_supported": self._core.services.send is not None,
                "claims_supported": list(CLAIMS),
                "acr_values_supported": sorted(CLASSES),
                "claims_parameter_supported": False,
                "request_parameter_supported": False,
                "request_uri_parameter_supported": False,  # left out it would mean true (§3)
            }
        )

    async def protected_resource(self, request: Request) -> Response:
        """RFC 9728 §3.2, one document per endpoint. There is no document for the bare origin: it would name
        another resource than the one the client asks about."""
        server = request.path_params.get("server", AGGREGATE)
        resources = self._core.resources
        if not resources.knows(server):
            return json_answer({"error": "not_found"}, 404)
        legacy, settings = request.url.path.endswith("/sse"), self._core.settings
        found: dict[str, Any] = {
            "resource": resources.legacy_url(server) if legacy else resources.url(server),
            "authorization_servers": [settings.authorization_server],
            "scopes_supported": list(settings.offered_scopes),
            "bearer_methods_supported": ["header"],
            "dpop_signing_alg_values_supported": list(ALGORITHMS),
            **({"dpop_bound_access_tokens_required": True} if settings.dpop_required else {}),
            "resource_name": resources.title(server),
        }
        if not settings.offered_scopes:  # RFC 9728 §3.2: empty lists must be left out
            del found["scopes_supported"]
        return _document(found)

    async def jwks(self, _request: Request) -> Response:
        """RFC 7517 §5: access tokens' keys first, then those of other purposes."""
        keys = [*self._core.keys.public_keys(), *await self._core.statements.public_keys()]
        return json_answer({"keys": keys}, headers=CACHED)

    def document(self) -> dict[str, Any]:
        """RFC 8414 §2."""
        settings = self._core.settings
        issuer = settings.issuer
        found: dict[str, Any] = {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "revocation_endpoint": f"{issuer}/revoke",
            "device_authorization_endpoint": f"{issuer}/device_authorization",
            "pushed_authorization_request_endpoint": f"{issuer}/par",
            "require_pushed_authorization_requests": settings.require_pushed,
            "dpop_signing_alg_values_supported": list(ALGORITHMS),
            "jwks_uri": f"{issuer}/jwks",
            "scopes_supported": list(settings.scopes),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": list(self._grant_types()),
            "token_endpoint_auth_methods_supported": list(AUTH_METHODS),
            "token_endpoint_auth_signing_alg_values_supported": list(SIGNING_ALGORITHMS),
            "revocation_endpoint_auth_methods_supported": list(AUTH_METHODS),
            "revocation_endpoint_auth_signing_alg_values_supported": list(SIGNING_ALGORITHMS),
            "introspection_endpoint": f"{issuer}/introspect",
            "introspection_endpoint_auth_methods_supported": [m for m in AUTH_METHODS if m != "none"],
            "introspection_endpoint_auth_signing_alg_values_supported": list(SIGNING_ALGORITHMS),
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            "prompt_values_supported": ["none", "login", "consent", "select_account"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": list(get_args(Algorithm)),
        }
        if self._core.services.fetch is not None:
            # Clients that see this use their own URL and never fall back, so it must be true.
            found["client_id_metadata_document_supported"] = True
        if settings.assertions:
            found["authorization_grant_profiles_supported"] = [PROFILE]
        if settings.registration_enabled:
            found["registration_endpoint"] = f"{issuer}/register"
        return found

    def _grant_types(self) -> tuple[str, ...]:
        # Only the operator makes clients for it; where there are none it is of no use to anybody.
        programs = (CLIENT_CREDENTIALS,) if self._core.serves_programs else ()
        exchange = (TOKEN_EXCHANGE,) if self._core.serves_exchange else ()
        assertions = (JWT_BEARER,) if self._core.settings.assertions else ()
        return (*GRANT_TYPES, *programs, *exchange, *assertions)


def _document(content: dict[str, Any]) -> Response:
    return json_answer(content, headers=CACHED)
