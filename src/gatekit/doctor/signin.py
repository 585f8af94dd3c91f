"""Beyond the sign-in page, with somebody's name and password: tokens, a call, an event stream, a refresh as
the client does it, and the end: everything that was obtained is given back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from msgspec import Struct

from gatekit.doctor.ailments import Ailment
from gatekit.doctor.jar import Form, Jar, forms_of
from gatekit.doctor.line import Line, ailing, decoded, kind_of, origin_of, parts_of, said
from gatekit.doctor.opening import Found, headers_of, message_of
from gatekit.doctor.profile import Profile
from gatekit.doctor.walk import Course, Registered, authorization_url, challenge_for, refresh_form, state_of
from gatekit.errors import ClientWouldFail, OutboundRefused
from gatekit.model.ports import Entropy
from gatekit.platform.outbound import Answer
from gatekit.protocol.methods import LATEST_HANDSHAKE

MAX_FORMS = 6
SHORTEST_LIFE = 600
"""Seconds; clients that refresh ahead by minutes would refresh before every request below that."""
STREAM_SECONDS = 6.0


class Somebody(Struct, frozen=True):
    """Who signs in: an account with a password at the gateway itself."""

    name: str
    password: str

    def __repr__(self) -> str:
        return f"Somebody(name={self.name!r})"


class Tokens(Struct):
    """What was issued last, and is owed back. Empty: nothing was."""

    access: str = ""
    refresh: str = ""

    def __repr__(self) -> str:
        return "Tokens()"


class SignIn:
    """Signs in for clients that got to the page."""

    def __init__(self, line: Line, entropy: Entropy, somebody: Somebody) -> None:
        self._line = line
        self._entropy = entropy
        self._somebody = somebody
        self._jar = Jar(line)
        self._held = Tokens()

    async def run(self, course: Course) -> None:
        """Go on where ``course`` ended, and note in it how far that led."""
        found, client = course.found, course.client
        if found is None or client is None or client.document:
            return  # a document's client is somebody else's: its redirect is not ours to intercept
        self._held = Tokens()
        try:
            access = await self._tokens(course.profile, found, client)
            course.steps.append("sign-in")
            await call(self._line, course.profile, found.url, access)
            course.steps.append("call")
            if await stream(self._line, course.profile, found.url, access):
                course.steps.append("event stream")
            await self._refreshed(course.profile, found, client)
            course.steps.append("refresh")
        except ClientWouldFail as failure:
            course.stopped = Ailment(failure.code, failure.facts)
        finally:
            if self._held != Tokens():
                await self._give_back(course, found, client, self._held)

    # -- to a token ----------------------------------------------------------------------------------------

    async def _tokens(self, profile: Profile, found: Found, client: Registered) -> str:
        verifier, state = self._entropy.token("", 48), state_of(profile)
        url = authorization_url(profile, found, client, state, challenge_for(verifier))
        back = await self._walk_pages(url, client.redirect_uri, origin_of(found.url))
        if "code" not in back:
            facts = {"error": back.get("error", "?"), "description": back.get("error_description", "")}
            raise ailing(Ailment("no-code", facts))
        if back.get("state", "") != state:
            raise ailing(Ailment("response-changed", {"what": "state"}))
        iss = back.get("iss")
        if iss != found.issuer and (iss is not None or profile.needs_iss):
            raise ailing(Ailment("response-changed", {"what": "iss"}))
        form = {
            "grant_type": "authorization_code",
            "code": back["code"],
            "code_verifier": verifier,
            "redirect_uri": client.redirect_uri,
            "client_id": client.client_id,
            "resource": found.resource,
        }
        return await self._ask(profile, found, form, "no-token", "code")

    async def _walk_pages(self, url: str, redirect_uri: str, home: str) -> dict[str, str]:
        where, answer = await self._jar.follow(url, redirect_uri)
        signed_in = False
        for _ in range(MAX_FORMS):
            if where.partition("?")[0] == redirect_uri.partition("?")[0]:
                return dict(parse_qsl(parts_of(where).query))
            if origin_of(where) != home:  # a password is for the gateway that the operator named
                raise ailing(self._failed(f"people sign in at {origin_of(where)}, where only they can"))
            form, values = self._next(answer, signed_in)
            signed_in = signed_in or bool(values)
            where, answer = await self._jar.submit(where, form, values, "approve", redirect_uri)
        raise ailing(self._failed("the pages went in a circle"))

    def _next(self, answer: Answer, signed_in: bool) -> tuple[Form, dict[str, str]]:
        """The form to send, and what to fill in."""
        forms = forms_of(answer)
        for form in forms:
            if form.password and form.text:
                if signed_in:
                    raise ailing(self._failed("the sign-in page came back"))
                return form, {form.text: self._somebody.name, form.password: self._somebody.password}
        for form in forms:
            if any(value == "approve" for _, value in form.buttons):
                return form, {}
        raise ailing(self._failed(f"a page ({answer.status}, {kind_of(answer)}) asks for something else"))

    def _failed(self, reason: str) -> Ailment:
        return Ailment("sign-in-failed", {"person": self._somebody.name, "reason": reason})

    async def _ask(
        self, profile: Profile, found: Found, form: Mapping[str, str], code: str, words: str
    ) -> str:
        """The access token for ``form``. Whatever is issued is held before it is judged."""
        endpoint = str(found.server["token_endpoint"])
        more = {"origin": profile.page} if profile.page else {}
        answer = await self._line.send("POST", endpoint, headers_of(profile, **more), form=form)
        document = decoded(answer) or {}
        access, refresh = document.get("access_token"), document.get("refresh_token")
        if answer.status == 200:
            held = self._held
            held.access = access if isinstance(access, str) and access else held.access
            held.refresh = refresh if isinstance(refresh, str) and refresh else held.refresh
        if answer.status != 200 or not isinstance(access, str):
            facts = {"status": str(answer.status), "error": str(document.get("error", "")), "form": words}
            # A good answer that lacks something may hold a token all the same: its text is not shown.
            text = said(answer) if answer.status != 200 else "The answer has no access_token."
            facts["description"] = str(document.get("error_description") or text)
            raise ailing(Ailment(code, facts))
        if what := _lacking(document):
            raise ailing(Ailment("token-answer", {"what": what}))
        return access

    # -- with a token --------------------------------------------------------------------------------------

    async def _refreshed(self, profile: Profile, found: Found, client: Registered) -> None:
        form = refresh_form(profile, client, found, self._held.refresh)
        words = ", ".join(f"{name}={value}" for name, value in form.items() if name in ("resource", "scope"))
        first = await self._ask(profile, found, form, "no-refresh", words or "neither resource nor scope")
        # A second process of the same client sends the same token a moment later.
        await self._ask(
            profile, found, form, "no-refresh", "the same token at the same time, from two windows"
        )
        await call(self._line, profile, found.url, first)

    async def _give_back(self, course: Course, found: Found, client: Registered, tokens: Tokens) -> None:
        """Revoke the refresh token, which takes the grant along; then the access token must be dead."""
        endpoint = found.server.get("revocation_endpoint")
        if not isinstance(endpoint, str):
            return
        try:
            form = {"token": tokens.refresh or tokens.access, "client_id": client.client_id}
            answer = await self._line.send("POST", endpoint, headers_of(course.profile), form=form)
            if not tokens.access:
                return
            method, headers, body = message_of("initialize")
            headers["authorization"] = f"Bearer {tokens.access}"
            after = await self._line.send(method, found.url, headers_of(course.profile, **headers), json=body)
            if after.status != 401:
                facts = {"status": str(answer.status), "after": str(after.status)}
                course.notes.append(Ailment("not-revoked", facts))
        except ClientWouldFail as failure:
            course.notes.append(Ailment(failure.code, failure.facts))


def _lacking(document: Mapping[str, Any]) -> str:
    """What clients miss in a token answer (RFC 6749 §5.1); empty if nothing."""
    lifetime = document.get("expires_in")
    if str(document.get("token_type", "")).lower() != "bearer":
        return f"token_type is {document.get('token_type')!r} and not Bearer."
    if isinstance(lifetime, bool) or not isinstance(lifetime, int | float):
        return f"expires_in is {lifetime!r} and not a number."
    if lifetime < SHORTEST_LIFE:
        return (
            f"The token lives for {lifetime:g} s: clients that refresh minutes ahead do so at every request."
        )
    if not document.get("refresh_token"):
        return "There is no refresh token, so people have to sign in again every hour."
    return ""


async def call(line: Line, profile: Profile, url: str, access: str) -> None:
    """A first request of the client's era with a token. Raises ``ClientWouldFail``."""
    method, headers, body = message_of("discover" if profile.stateless else "initialize")
    headers["authorization"] = f"Bearer {access}"
    answer = await line.send(method, url, headers_of(profile, **headers), json=body)
    if answer.status != 200:
        what = "server/discover" if profile.stateless else "initialize"
        raise ailing(_call_failed(what, answer))
    await _end_session(line, url, access, answer)


def _call_failed(what: str, answer: Answer) -> Ailment:
    return Ailment("call-failed", {"what": what, "status": str(answer.status), "said": said(answer)})


async def _end_session(line: Line, url: str, access: str, answer: Answer) -> None:
    if session := answer.headers.get("mcp-session-id"):
        await line.send("DELETE", url, {"authorization": f"Bearer {access}", "mcp-session-id": session})


async def stream(line: Line, profile: Profile, url: str, access: str) -> bool:
    """See the first bytes of an event stream arrive at once: the gateway begins each with an event.

    False if there is no stream to see. Raises ``ClientWouldFail``.
    """
    method, headers, body = message_of("initialize")
    bearer = {"authorization": f"Bearer {access}"}
    opened = await line.send(method, url, headers_of(profile, **headers, **bearer), json=body)
    session = opened.headers.get("mcp-session-id")
    if opened.status != 200 and not profile.stateless:
        raise ailing(_call_failed("initialize", opened))
    if opened.status != 200 or not session:
        return False  # a stateless endpoint has no stream of its own
    held = {**bearer, "accept": "text/event-stream", "mcp-session-id": session}
    # What clients really say: a proxy that compresses streams holds them back, and Outbound refuses it.
    held |= {"mcp-protocol-version": LATEST_HANDSHAKE, "accept-encoding": "gzip, deflate, br"}
    try:
        await _first_bytes(line, url, headers_of(profile, **held))
        return True
    except (TimeoutError, OutboundRefused) as late:
        shown = f"it is cut off ({late})" if str(late) else f"nothing was seen within {STREAM_SECONDS:g} s"
        raise ailing(Ailment("stream-held", {"shown": shown})) from late
    finally:
        await _end_session(line, url, access, opened)


async def _first_bytes(line: Line, url: str, headers: Mapping[str, str]) -> None:
    async with asyncio.timeout(STREAM_SECONDS):
        channel, opened = await line.open(url, headers)
        try:
            first = await opened.more()
            answer = Answer(opened.status, opened.headers, first)
            if opened.status != 200:
                raise ailing(_call_failed("GET for an event stream", answer))
            if not first or kind_of(answer) != "text/event-stream":
                shown = f"what came is {kind_of(answer)} of {len(first)} bytes and no event"
                raise ailing(Ailment("stream-held", {"shown": shown}))
        finally:
            await opened.close()
            await channel.close()
