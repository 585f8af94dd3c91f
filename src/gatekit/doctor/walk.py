"""One client's way from the URL to the sign-in page, and as much of the way back as needs no person."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from msgspec import Struct

from gatekit.doctor import cors
from gatekit.doctor.ailments import Ailment
from gatekit.doctor.jar import Jar
from gatekit.doctor.line import Line, ailing, decoded, kind_of, listed, origin_of, parts_of, said
from gatekit.doctor.opening import Found, contact, discover, headers_of
from gatekit.doctor.profile import Profile
from gatekit.errors import ClientWouldFail
from gatekit.model.ports import Entropy
from gatekit.platform.outbound import Answer

MAX_WAIT = 12.0
"""Seconds that a full budget for registrations is waited for, once a client."""


class Registered(Struct, frozen=True, kw_only=True):
    """The client as the gateway knows it now. Never printed: it holds credentials."""

    client_id: str
    redirect_uri: str
    document: bool = False
    """Whether ``client_id`` is the URL of its metadata document: nothing was registered."""
    management_uri: str = ""
    management_token: str = ""


class Course(Struct):
    """How far one client got. Filled in as it goes."""

    profile: Profile
    steps: list[str] = []
    """Names of the steps that went well."""
    stopped: Ailment | None = None
    """What stopped it; None if nothing did."""
    notes: list[Ailment] = []
    """What is not as it should be, and stops nobody."""
    found: Found | None = None
    client: Registered | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing stopped it. What stops it with a warning could not be judged."""
        return self.stopped is None


class Walk:
    """Walks profiles to one URL. ``document`` fetches a client's metadata document as the gateway would, and
    says why it cannot; None if it cannot be known from here."""

    def __init__(
        self,
        line: Line,
        entropy: Entropy,
        pause: Callable[[float], Awaitable[None]],
        document: Callable[[str], Awaitable[str]] | None = None,
    ) -> None:
        self._line = line
        self._entropy = entropy
        self._pause = pause
        self._document = document

    async def run(self, profile: Profile, url: str) -> Course:
        """Everything that needs no person."""
        course = Course(profile)
        try:
            leads = await contact(self._line, profile, url)
            course.steps.append("contact")
            course.found = await discover(self._line, profile, url, leads)
            course.steps.append("metadata")
            if profile.page:
                await cors.look(self._line, profile, course.found)
                course.steps.append("web page")
            await self._become(course, course.found)
            course.steps.append("registration")
            await self._page(course, course.found)
            course.steps.append("sign-in page")
            await self._tokens(course, course.found)
            course.steps.append("token endpoint")
        except ClientWouldFail as failure:
            course.stopped = Ailment(failure.code, failure.facts)
        return course

    # -- becoming a client ---------------------------------------------------------------------------------

    async def _become(self, course: Course, found: Found) -> None:
        profile = course.profile
        port = str(49152 + int(self._entropy.letters("0123456789", 4)))
        redirects = [uri.replace("{port}", port) for uri in profile.redirects]
        uses = profile.uses or redirects[0]
        if found.server.get("client_id_metadata_document_supported") and profile.document:
            await self._announced(course, profile.document)
            # Documents name the loopback redirect without a port (and VS Code its usual one).
            course.client = Registered(client_id=profile.document, redirect_uri=uses, document=True)
            return
        endpoint = found.server.get("registration_endpoint")
        if not isinstance(endpoint, str):
            raise ailing(Ailment("nobody-registers"))
        if origin_of(endpoint) != origin_of(found.url):
            raise ailing(Ailment("registration-foreign", {"issuer": found.issuer}))
        answer = await self._register(endpoint, profile, wanted(profile, redirects, found.scopes))
        course.client = _registered(profile, endpoint, answer, uses)

    async def _announced(self, course: Course, document: str) -> None:
        facts = {"url": document, "host": urlsplit(document).netloc}
        if self._document is None:
            course.notes.append(Ailment("documents-unseen", facts))
        elif reason := await self._document(document):
            raise ailing(Ailment("document-unreachable", {**facts, "reason": reason}))

    async def _register(self, endpoint: str, profile: Profile, metadata: Mapping[str, object]) -> Answer:
        more = {"origin": profile.page} if profile.page else {}
        for again in (True, False):
            answer = await self._line.send("POST", endpoint, headers_of(profile, **more), json=metadata)
            if answer.status != 429:
                return answer
            wait = answer.headers.get("retry-after", "")
            seconds = float(wait) if wait.isdecimal() else MAX_WAIT + 1
            if not again or seconds > MAX_WAIT:
                break
            await self._pause(seconds)
        raise ailing(Ailment("registration-flood", {"wait": wait or "?"}))

    # -- the page ------------------------------------------------------------------------------------------

    async def _page(self, course: Course, found: Found) -> None:
        profile, client = course.profile, course.client
        assert client is not None
        url = authorization_url(profile, found, client, state_of(profile), challenge_for("x" * 64))
        if profile.looks_first:
            first = await self._line.send("GET", url, headers_of(profile))
            if first.status >= 400:
                raise _refused_page(url, first)
        jar = Jar(self._line)
        where, answer = await jar.follow(url, client.redirect_uri)
        if where.partition("?")[0] == client.redirect_uri.partition("?")[0]:
            back = dict(parse_qsl(parts_of(where).query))
            facts = {"error": back.get("error", "?"), "description": back.get("error_description", "")}
            raise ailing(Ailment("authorize-error", facts))
        if origin_of(where) != origin_of(url):
            return  # the identity provider's own page, and nobody is let in there without a person
        if answer.status >= 400:
            if profile.looks_first:
                raise ailing(Ailment("authorize-once", {"status": str(answer.status)}))
            raise _refused_page(url, answer)
        _looks_right(where, answer, jar, course)

    # -- the way back, with made-up values -----------------------------------------------------------------

    async def _tokens(self, course: Course, found: Found) -> None:
        profile, client = course.profile, course.client
        assert client is not None
        endpoint = str(found.server["token_endpoint"])
        code = {
            "grant_type": "authorization_code",
            "code": "made-up-by-gatekit-doctor",
            "code_verifier": "x" * 64,
            "redirect_uri": client.redirect_uri,
            "client_id": client.client_id,
            "resource": found.resource,
        }
        for form in (code, refresh_form(profile, client, found, "made-up-by-gatekit-doctor")):
            more = {"origin": profile.page} if profile.page else {}
            answer = await self._line.send("POST", endpoint, headers_of(profile, **more), form=form)
            document = decoded(answer) or {}
            if answer.status != 400 or document.get("error") != "invalid_grant":
                facts = {"status": str(answer.status), "error": str(document.get("error", ""))}
                raise ailing(
                    Ailment("token-odd", {**facts, "grant": form["grant_type"], "said": said(answer)})
                )
            _not_cached(answer, course)


def wanted(profile: Profile, redirects: list[str], scopes: str) -> dict[str, object]:
    """The registration of a client (RFC 7591 §2)."""
    metadata: dict[str, object] = {
        "client_name": f"{profile.title} (gatekit doctor)",
        "redirect_uris": redirects,
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "scope": scopes or None,
        **profile.registration,
    }
    return {name: value for name, value in metadata.items() if value is not None}


def _registered(profile: Profile, endpoint: str, answer: Answer, uses: str) -> Registered:
    document = decoded(answer) or {}
    client_id = document.get("client_id")
    if answer.status not in (200, 201) or not isinstance(client_id, str) or not client_id:
        raise ailing(_registration_refused(answer, document))
    if uses not in (listed(document, "redirect_uris", endpoint) or [uses]):
        raise ailing(Ailment("redirect-dropped", {"uri": uses, "client": profile.title}))
    return Registered(
        client_id=client_id,
        redirect_uri=uses,
        management_uri=str(document.get("registration_client_uri") or ""),
        management_token=str(document.get("registration_access_token") or ""),
    )


def _registration_refused(answer: Answer, document: dict[str, Any]) -> Ailment:
    error = str(document.get("error", ""))
    remedies = {
        "invalid_redirect_uri": "A scheme of one application's own goes into "
        "proxy.auth.registration.private_use_schemes.",
        "": "What answered is not the gateway: a proxy with a limit on bodies or methods, or a firewall.",
    }
    facts = {
        "status": str(answer.status),
        "error": error or f"({kind_of(answer)})",
        "description": str(document.get("error_description") or said(answer)),
        "remedy": remedies.get(error, "The gateway's log has the reason."),
    }
    return Ailment("registration-refused", facts)


def authorization_url(profile: Profile, found: Found, client: Registered, state: str, challenge: str) -> str:
    """RFC 6749 §4.1.1, RFC 7636, RFC 8707."""
    query = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": client.redirect_uri,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "scope": found.scopes,
        "state": state,
        "resource": found.resource,
        **profile.extra,
    }
    endpoint = str(found.server["authorization_endpoint"])
    sign = "&" if "?" in endpoint else "?"
    return endpoint + sign + urlencode({name: value for name, value in query.items() if value})


def state_of(profile: Profile) -> str:
    return profile.state.replace("{port}", "54321")


def challenge_for(verifier: str) -> str:
    """RFC 7636 §4.2."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def refresh_form(profile: Profile, client: Registered, found: Found, token: str) -> dict[str, str]:
    """RFC 6749 §6, with the deviations of this client."""
    form: dict[str, str | None] = {
        "grant_type": "refresh_token",
        "refresh_token": token,
        "client_id": client.client_id,
        "resource": found.resource,
        **{name: value and value.replace("{scope}", found.scopes) for name, value in profile.refresh.items()},
    }
    return {name: value for name, value in form.items() if value}


def _refused_page(url: str, answer: Answer) -> ClientWouldFail:
    headings = re.findall(r"<(?:h1|title)[^>]*>\s*([^<]+)", answer.body[:20_000].decode("utf-8", "replace"))
    text = headings[-1].strip() if headings else said(answer, 100)
    facts = {"status": str(answer.status), "said": text, "url": url.partition("?")[0]}
    return ailing(Ailment("authorize-refused", facts))


def _looks_right(where: str, answer: Answer, jar: Jar, course: Course) -> None:
    """Whether a person's browser could go on from this page."""
    facts = {"url": where.partition("?")[0], "status": str(answer.status), "kind": kind_of(answer)}
    if answer.status != 200 or kind_of(answer) != "text/html" or b"<form" not in answer.body.lower():
        raise ailing(Ailment("authorize-no-page", facts))
    if not jar:
        raise ailing(Ailment("cookie-lost", facts))
    if jar.trouble:
        raise ailing(Ailment("cookie-broken", jar.trouble))
    if "form-action" in answer.headers.get("content-security-policy", ""):
        raise ailing(Ailment("form-action", facts))
    if "no-store" not in answer.headers.get("cache-control", ""):
        course.notes.append(Ailment("page-cached", {"cache": answer.headers.get("cache-control", "(none)")}))


def _not_cached(answer: Answer, course: Course) -> None:
    cache = answer.headers.get("cache-control", "(none)")
    if "no-store" not in cache and not any(note.code == "token-cached" for note in course.notes):
        course.notes.append(Ailment("token-cached", {"cache": cache}))
