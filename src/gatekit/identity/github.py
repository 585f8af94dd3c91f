"""Sign-in with GitHub, or with a GitHub Enterprise Server.

The person is GitHub's numeric id; the login is kept only because people know each other by it, and it may
belong to somebody else tomorrow (checklist F1). An e-mail address counts when GitHub calls it primary and
verified. GitHub reports OAuth errors as JSON under HTTP 200 (F7), so the status alone says nothing. The
access token is used for a few questions, never stored and never logged.
"""

from __future__ import annotations

import asyncio
import logging
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from hmac import compare_digest
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec
from msgspec import Struct

from gatekit.errors import OutboundRefused, ProviderFailed, SignInRefused
from gatekit.identity.ports import Leg
from gatekit.model.people import ExternalIdentity
from gatekit.model.ports import Entropy
from gatekit.platform.outbound import Answer, Outbound

log = logging.getLogger("gatekit.identity.github")

MAX_PAGES = 20
"""Pages of 100 organisations or teams; what lies beyond gives no access, which is the safe side."""
TIMEOUT = 10.0
MAX_TEXT = 200

_NEXT_LINK = re.compile(r'<([^<>]+)>\s*;[^,<]*\brel="?next\b')

T = TypeVar("T")


class GitHubSettings(Struct, frozen=True, kw_only=True):
    """One connection."""

    name: str
    client_id: str
    client_secret: str
    base_url: str = "https://github.com"
    """Where the browser is sent, and the issuer of identities; no trailing slash."""
    api_url: str = "https://api.github.com"
    """No trailing slash; ``https://HOST/api/v3`` on a GitHub Enterprise Server."""
    fetch_orgs: bool = True
    """Ask for organisations and teams, which needs the scope ``read:org``."""
    allowed_orgs: tuple[str, ...] = ()
    """Only members of one of these may sign in; empty: no such condition. Needs ``fetch_orgs``."""
    title: str = "GitHub"

    def __post_init__(self) -> None:
        if self.allowed_orgs and not self.fetch_orgs:
            raise ValueError("allowed_orgs cannot be checked without fetch_orgs")

    def __repr__(self) -> str:
        """Without the secret: a repr ends up in logs and tracebacks."""
        return f"GitHubSettings(name={self.name!r}, client_id={self.client_id!r}, base_url={self.base_url!r})"


class _Secret(Struct):
    state: str
    verifier: str


class _Person(Struct):
    id: int
    login: str
    name: str | None = None


class _Email(Struct):
    email: str
    primary: bool = False
    verified: bool = False


class _Org(Struct):
    login: str


class _Team(Struct):
    slug: str
    organization: _Org


class _Token(Struct):
    access_token: str = ""
    token_type: str = "bearer"
    error: str = ""
    error_description: str = ""


class GitHubProvider:
    """Implements ``identity.ports.RedirectProvider``."""

    def __init__(self, settings: GitHubSettings, outbound: Outbound, entropy: Entropy) -> None:
        self._settings = settings
        self._outbound = outbound
        self._entropy = entropy

    @property
    def name(self) -> str:
        return self._settings.name

    @property
    def title(self) -> str:
        return self._settings.title

    async def begin(self, callback_url: str) -> Leg:
        secret = _Secret(state=self._entropy.token("gk_gs_"), verifier=self._entropy.token("", 48))
        challenge = urlsafe_b64encode(sha256(secret.verifier.encode("ascii")).digest()).rstrip(b"=")
        params = {
            "client_id": self._settings.client_id,
            "redirect_uri": callback_url,
            "response_type": "code",
            "scope": self._scope(),
            "state": secret.state,
            "code_challenge": challenge.decode("ascii"),  # RFC 7636 §4.3
            "code_challenge_method": "S256",
            "allow_signup": "false",
        }
        url = f"{self._settings.base_url}/login/oauth/authorize?{urlencode(params)}"
        return Leg(url, msgspec.json.encode(secret).decode("ascii"))

    async def complete(self, params: Mapping[str, str], secret: str, callback_url: str) -> ExternalIdentity:
        kept = msgspec.json.decode(secret, type=_Secret)
        code = self._code(params, kept)
        token = await self._redeem(code, kept.verifier, callback_url)
        return await self._identity(token)

    # -- the callback --------------------------------------------------------------------------------------

    def _scope(self) -> str:
        return "read:user user:email" + (" read:org" if self._settings.fetch_orgs else "")

    def _code(self, params: Mapping[str, str], kept: _Secret) -> str:
        if not compare_digest(params.get("state", "").encode(), kept.state.encode()):
            raise SignInRefused(EXPIRED, "state does not match")
        issuer = params.get("iss")
        if issuer is not None and _origin(issuer) != _origin(self._settings.base_url):
            raise SignInRefused(EXPIRED, f"answer of another issuer: {issuer[:MAX_TEXT]!r}")  # RFC 9207 §2.4
        if error := params.get("error"):
            raise self._refused(error, params.get("error_description", ""))
        code = params.get("code", "")
        if not code:
            raise ProviderFailed(self._garbage(), "callback without code and without error")
        return code

    def _refused(self, error: str, description: str) -> SignInRefused | ProviderFailed:
        """What GitHub says under ``error``, at the callback and at the token endpoint alike."""
        detail = f"{self.name}: {error[:MAX_TEXT]}: {description[:MAX_TEXT]}"
        if error == "access_denied":
            return SignInRefused(f"You cancelled the sign-in at {self.title}. You can try again.", detail)
        if error == "unverified_user_email":
            return SignInRefused(f"Verify your primary e-mail address at {self.title} first.", detail)
        if error == "bad_verification_code":
            return ProviderFailed(f"The sign-in at {self.title} took too long. Please try again.", detail)
        if error in _OPERATORS_FAULT:
            return ProviderFailed(
                f"This gateway is not set up correctly at {self.title} ({error}). "
                "Tell whoever runs it; trying again will not help.",
                detail,
            )
        return ProviderFailed(f"{self.title} refused the sign-in. Please try again.", detail)

    async def _redeem(self, code: str, verifier: str, callback_url: str) -> str:
        form = {
            "client_id": self._settings.client_id,
            "client_secret": self._settings.client_secret,
            "code": code,
            "redirect_uri": callback_url,
            "code_verifier": verifier,
        }
        url = f"{self._settings.base_url}/login/oauth/access_token"
        answer = await self._fetch("POST", url, {"accept": "application/json"}, form)
        if answer.status >= 500:
            raise ProviderFailed(self._down(), f"{self.name}: token endpoint answered {answer.status}")
        token = self._decode(answer, _Token, "token")
        if token.error:
            raise self._refused(token.error, token.error_description)
        if answer.status != 200 or not token.access_token or token.token_type.lower() != "bearer":
            raise ProviderFailed(self._garbage(), f"{self.name}: no token in a {answer.status} answer")
        return token.access_token

    # -- who it is -------------------------------------------------------------------------------------------

    async def _identity(self, token: str) -> ExternalIdentity:
        answer = await self._api(f"{self._settings.api_url}/user", token)
        if answer.status != 200:
            raise ProviderFailed(self._down(), f"{self.name}: /user answered {answer.status}")
        person = self._decode(answer, _Person, "user")
        if person.id <= 0 or not person.login:
            raise ProviderFailed(self._garbage(), f"{self.name}: /user without id or login")
        # Three questions at once: a person is waiting, and each takes a handshake.
        email, orgs, teams = await asyncio.gather(self._email(token), self._orgs(token), self._teams(token))
        if self._settings.allowed_orgs and not orgs.intersection(map(str.lower, self._settings.allowed_orgs)):
            raise SignInRefused(
                f"You are {person.login[:MAX_TEXT]} at {self.title}, but not a member of an organisation "
                "that may sign in here. If you are one, the organisation must first approve this application "
                f"at {self.title}.",
                f"{self.name}:{person.login} ({person.id}) is in none of the allowed organisations",
            )
        return ExternalIdentity(
            connection=self.name,
            issuer=self._settings.base_url,
            subject=str(person.id),
            login=person.login[:MAX_TEXT],
            email=email.email if email else None,
            email_verified=email.verified if email else False,
            display_name=(person.name or "")[:MAX_TEXT],
            provider_groups=orgs | teams,
        )

    async def _email(self, token: str) -> _Email | None:
        """The primary address. Any other could have been added to look like somebody else's."""
        emails = await self._pages(f"{self._settings.api_url}/user/emails?per_page=100", token, _Email)
        return next((entry for entry in emails if entry.primary), None)

    async def _orgs(self, token: str) -> frozenset[str]:
        if not self._settings.fetch_orgs:
            return frozenset()
        orgs = await self._pages(f"{self._settings.api_url}/user/orgs?per_page=100", token, _Org)
        return frozenset(org.login.lower() for org in orgs)

    async def _teams(self, token: str) -> frozenset[str]:
        if not self._settings.fetch_orgs:
            return frozenset()
        teams = await self._pages(f"{self._settings.api_url}/user/teams?per_page=100", token, _Team)
        return frozenset(f"{team.organization.login}/{team.slug}".lower() for team in teams)

    async def _pages(self, url: str, token: str, item: type[T]) -> list[T]:
        """A whole list, page by page (``Link: …; rel="next"``).

        403 and 404 mean that there is nothing this token may see: the organisation restricts applications, a
        scope was not granted, an older server lacks the endpoint. Fewer groups give less access, never more.
        """
        items: list[T] = []
        for _ in range(MAX_PAGES):
            answer = await self._api(url, token)
            if answer.status in (403, 404) and not items:
                log.info("no list connection=%s path=%s status=%d", self.name, _path(url), answer.status)
                return []
            if answer.status != 200:
                raise ProviderFailed(self._down(), f"{self.name}: {_path(url)} answered {answer.status}")
            items += self._decode(answer, list[item], _path(url))  # type: ignore[valid-type]
            following = _NEXT_LINK.search(answer.headers.get("link", ""))
            if following is None:
                return items
            url = following[1]
            if _origin(url) != _origin(self._settings.api_url):
                # The token must not follow a link to somewhere else.
                raise ProviderFailed(self._garbage(), f"{self.name}: next page on another host")
        log.warning("list cut off connection=%s path=%s pages=%d", self.name, _path(url), MAX_PAGES)
        return items

    # -- one request -----------------------------------------------------------------------------------------

    async def _api(self, url: str, token: str) -> Answer:
        headers = {"accept": "application/vnd.github+json", "authorization": f"Bearer {token}"}
        return await self._fetch("GET", url, headers, None)

    async def _fetch(
        self, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None
    ) -> Answer:
        try:
            return await self._outbound.fetch(method, url, headers=headers, form=form, timeout=TIMEOUT)
        except OutboundRefused as refused:
            raise ProviderFailed(self._down(), f"{self.name}: {_path(url)}: {refused}") from refused

    def _decode(self, answer: Answer, shape: type[T], what: str) -> T:
        try:
            return msgspec.json.decode(answer.body, type=shape)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as bad:
            # Not chained: the decoder's words are kept out of tracebacks, the body may hold a token.
            raise ProviderFailed(
                self._garbage(),
                f"{self.name}: unusable {what} answer ({answer.status}): {type(bad).__name__}",
            ) from None

    def _down(self) -> str:
        return f"{self.title} does not answer as it should at the moment. Please try again in a minute."

    def _garbage(self) -> str:
        return (
            f"{self.title} sent an answer that makes no sense. Please try again; "
            "if it stays so, tell whoever runs this gateway."
        )


EXPIRED = "This sign-in does not belong to this browser or has expired. Please start again."

_OPERATORS_FAULT = frozenset(
    {
        "incorrect_client_credentials",
        "redirect_uri_mismatch",
        "application_suspended",
        "invalid_client",
        "invalid_scope",
        "unauthorized_client",
    }
)


def _origin(url: str) -> tuple[str, str | None, int | None] | None:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port
    except ValueError:
        return None


def _path(url: str) -> str:
    return urlsplit(url).path
