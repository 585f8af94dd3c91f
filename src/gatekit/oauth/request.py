"""Reading an authorization request (RFC 6749 §4.1.1, RFC 7636 §4.3, RFC 8707 §2).

Two kinds of failure. As long as client and redirect URI are in doubt, the browser stays here and sees a page
(``PageProblem``): a redirect would go to an address that a stranger chose. After that, an error may be
carried back to the client (``OAuthError``, see ``answers.py``).
"""

from __future__ import annotations

import re

from msgspec import Struct

from gatekit.errors import (
    InvalidRequest,
    PageProblem,
    RequestNotSupported,
    UnauthorizedClient,
    UnsupportedResponseType,
)
from gatekit.model.factors import CLASSES
from gatekit.model.oauth import Client
from gatekit.oauth.http import Form
from gatekit.oauth.redirects import match
from gatekit.oauth.resources import Resources
from gatekit.store.client_ports import Clients

MAX_STATE = 4096
MAX_NONCE = 1024
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}\Z")
"""BASE64URL(SHA-256(…)) without padding (RFC 7636 §4.2) has exactly this shape."""

REMEDY = "Remove the saved login for this server in your application, then connect again."


class Target(Struct, frozen=True):
    """Whom an answer goes to: checked client, checked redirect URI, the state to echo."""

    client: Client
    redirect_uri: str
    state: str | None


class AuthorizationRequest(Struct, frozen=True, kw_only=True):
    """The rest of a valid request."""

    code_challenge: str
    scope: str
    resources: tuple[str, ...]
    """Canonical; empty if the client named none."""
    prompt: frozenset[str]
    max_age: int | None
    acr: frozenset[str]
    """Classes of sign-in of which one must be reached; empty: any will do."""
    jkt: str
    """Thumbprint of the key that the code will be bound to (RFC 9449 §10); empty: none."""
    nonce: str
    id_token_hint: str


async def read_target(form: Form, clients: Clients) -> Target:
    """Client and redirect URI of a request; raise ``PageProblem``, never redirect (checklist D4)."""
    for name in ("client_id", "redirect_uri"):
        if len(form.fields.get(name, ())) > 1:  # checklist D1, D7
            raise _problem("The link is not usable", f"It has more than one {name}.")
    client_id = form.get("client_id")
    client = await clients.get(client_id) if client_id else None
    if client is None:
        raise _problem(
            "This application is not known here",
            "Its registration does not exist on this gateway, or was removed because it was never used.",
        )
    if client.disabled:
        raise _problem(
            "This application was disabled", "An administrator has disabled it.", "Ask your administrator."
        )
    presented = form.get("redirect_uri")
    if presented is None and len(client.redirect_uris) == 1:
        presented = client.redirect_uris[0]  # RFC 6749 §3.1.2.3
    if presented is None or match(client.redirect_uris, presented) is None:
        raise _problem(
            "The application's return address is not registered",
            "The redirect_uri of the link is not one that the application registered.",
        )
    states = form.all("state")
    return Target(client, presented, states[0] if len(states) == 1 else None)


def read_request(form: Form, target: Target, resources: Resources) -> AuthorizationRequest:
    """Everything else; raise ``OAuthError``, which may be carried to the client."""
    if name := form.repeated():
        raise InvalidRequest("a parameter is repeated", f"repeated parameter {name[:50]!r}")
    if target.state is not None and len(target.state) > MAX_STATE:
        raise InvalidRequest("state is too long")
    response_type = form.get("response_type")
    if response_type is None:
        raise InvalidRequest("response_type is missing")
    if response_type != "code":
        raise UnsupportedResponseType("the only response_type is code")
    if form.get("response_mode") not in (None, "query"):
        raise InvalidRequest("the only response_mode is query")
    if form.get("request") is not None:
        # To ignore it would be to answer another question than the one that was asked.
        raise RequestNotSupported("request objects are not supported")
    if "authorization_code" not in target.client.grant_types:
        raise UnauthorizedClient("the client is not registered for the authorization code grant")
    return AuthorizationRequest(
        code_challenge=_challenge(form),
        scope=form.get("scope") or "",
        resources=_resources(form, target.client, resources),
        prompt=_prompt(form),
        max_age=_max_age(form),
        acr=frozenset((form.get("acr_values") or "").split()) & CLASSES,
        jkt=_jkt(form),
        nonce=_nonce(form),
        id_token_hint=form.get("id_token_hint") or "",
    )


def _resources(form: Form, client: Client, resources: Resources) -> tuple[str, ...]:
    named = form.all("resource")
    if client.source == "configured" and "openid" in (form.get("scope") or "").split():
        return resources.resolve(named, client.servers)  # it may only want to know who somebody is
    return resources.asked(named, client.servers)


def _challenge(form: Form) -> str:
    """OAuth 2.1 §4.1.1, RFC 9700 §2.1.1: PKCE, S256 only, for every client. ``plain`` is the default of RFC
    7636, so a missing method is refused as well (checklist C5)."""
    challenge = form.get("code_challenge")
    if challenge is None:
        raise InvalidRequest("code_challenge is missing: PKCE is required")
    if form.get("code_challenge_method") != "S256":
        raise InvalidRequest("code_challenge_method must be S256")
    if not CHALLENGE.match(challenge):
        raise InvalidRequest("code_challenge is not the S256 of a verifier")
    return challenge


def _prompt(form: Form) -> frozenset[str]:
    prompt = frozenset((form.get("prompt") or "").split())
    if "none" in prompt and len(prompt) > 1:
        raise InvalidRequest("prompt=none stands alone")  # OpenID Connect Core §3.1.2.1
    return prompt & {"none", "login", "consent", "select_account"}


def _max_age(form: Form) -> int | None:
    value = form.get("max_age")
    if value is None:
        return None
    if not value.isdecimal() or len(value) > 9:
        raise InvalidRequest("max_age is not a number of seconds")
    return int(value)


def _jkt(form: Form) -> str:
    value = form.get("dpop_jkt") or ""
    if value and not CHALLENGE.match(value):  # of the same shape: BASE64URL(SHA-256(…))
        raise InvalidRequest("dpop_jkt is not the thumbprint of a key")
    return value


def _nonce(form: Form) -> str:
    nonce = form.get("nonce") or ""
    if len(nonce) > MAX_NONCE:
        raise InvalidRequest("nonce is too long")
    return nonce


def _problem(title: str, message: str, remedy: str = REMEDY) -> PageProblem:
    return PageProblem(400, title, message, remedy)
