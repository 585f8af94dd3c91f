"""A small MCP client with OAuth, written from the specifications on the standard library alone.

It is what a client of anybody does: it knows one URL, and finds out the rest from the answers.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from gatekit.demo.browser import TIMEOUT, Person, StoryError

HANDSHAKE = "2025-11-25"
STATELESS = "2026-07-28"
REDIRECT_URI = "http://127.0.0.1:33418/callback"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        try:
            decoded = json.loads(self.body)
        except ValueError:
            decoded = None
        if not isinstance(decoded, dict):
            raise StoryError(f"expected a JSON object, got {self.status} {self.body[:120]!r}")
        return decoded


def fetch(url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
    """One request without cookies; every status is an answer."""
    if not url.startswith(("http://", "https://")):
        raise StoryError(f"not a web address: {url[:60]}")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, body, headers or {})  # noqa: S310 - checked above
    try:
        answer = opener.open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        answer = error
    except OSError as error:
        raise StoryError(f"no answer from {url.split('?')[0]}: {error}") from error
    with answer:
        found = {name.lower(): value for name, value in answer.headers.items()}
        return Answer(answer.status, found, answer.read())


def post_json(url: str, value: object, headers: dict[str, str] | None = None) -> Answer:
    sent = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    return fetch(url, json.dumps(value).encode(), {**sent, **(headers or {})})


@dataclass
class Login:
    """One client's way to a token for one MCP URL. Call the methods in the order they stand here."""

    url: str
    resource: dict[str, Any] = field(default_factory=dict)
    server: dict[str, Any] = field(default_factory=dict)
    client_id: str = ""
    token: dict[str, Any] = field(default_factory=dict)
    _verifier: str = ""
    _state: str = ""

    def discover(self) -> None:
        """RFC 9728 §5.1 from the challenge, then RFC 8414."""
        refused = post_json(self.url, {})
        if refused.status != 401:
            raise StoryError(f"without a token {self.url} answered {refused.status} instead of 401")
        challenge = refused.headers.get("www-authenticate", "")
        found = re.search(r'resource_metadata="([^"]+)"', challenge)
        if found is None:
            raise StoryError(f"the challenge names no metadata: {challenge!r}")
        self.resource = fetch(found.group(1)).json()
        if self.resource.get("resource") != self.url:
            raise StoryError(f"the metadata is for {self.resource.get('resource')}, not for {self.url}")
        issuer = self.resource["authorization_servers"][0]
        self.server = fetch(f"{issuer}/.well-known/oauth-authorization-server").json()
        if self.server.get("issuer") != issuer:
            raise StoryError(f"the metadata of {issuer} names another issuer: {self.server.get('issuer')}")

    def register(self, name: str) -> None:
        """RFC 7591."""
        wanted = {
            "client_name": name,
            "redirect_uris": [REDIRECT_URI],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            "application_type": "native",
        }
        answer = post_json(self.server["registration_endpoint"], wanted)
        if answer.status != 201:
            raise StoryError(f"registration answered {answer.status}: {answer.body[:160]!r}")
        self.client_id = answer.json()["client_id"]

    def authorize(self, person: Person) -> dict[str, str]:
        """RFC 6749 §4.1.1 with RFC 7636 and RFC 8707; the parameters that came back (RFC 9207 checked)."""
        self._verifier, self._state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
        digest = hashlib.sha256(self._verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": REDIRECT_URI,
            "state": self._state,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            "scope": " ".join(self.resource.get("scopes_supported", [])),
            "resource": self.resource["resource"],
        }
        url = f"{self.server['authorization_endpoint']}?{urllib.parse.urlencode(query)}"
        back = person.authorize(url, REDIRECT_URI)
        if back.get("state") != self._state or back.get("iss") != self.server["issuer"]:
            raise StoryError(f"state or issuer did not come back unchanged: {sorted(back)}")
        return back

    def redeem(self, back: dict[str, str]) -> None:
        """RFC 6749 §4.1.3."""
        if "code" not in back:
            raise StoryError(f"no code came back: {back.get('error')} {back.get('error_description', '')}")
        body = {
            "grant_type": "authorization_code",
            "code": back["code"],
            "redirect_uri": REDIRECT_URI,
            "client_id": self.client_id,
            "code_verifier": self._verifier,
            "resource": self.resource["resource"],
        }
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = fetch(self.server["token_endpoint"], urllib.parse.urlencode(body).encode(), kind)
        if answer.status != 200:
            raise StoryError(f"the token endpoint answered {answer.status}: {answer.body[:160]!r}")
        self.token = answer.json()


class McpClient:
    """One handshake-era session (Streamable HTTP, 2025-11-25), or single stateless calls."""

    def __init__(self, url: str, access_token: str, name: str = "gatekit-demo") -> None:
        self._url = url
        self._name = name
        self._bearer = {"Authorization": f"Bearer {access_token}"}
        self._session: dict[str, str] = {}
        self._id = 0

    def initialize(self) -> dict[str, Any]:
        params = {
            "protocolVersion": HANDSHAKE,
            "capabilities": {},
            "clientInfo": {"name": self._name, "version": "1"},
        }
        answer = self._post({"method": "initialize", "params": params})
        result = self._result(answer)
        self._session = {"MCP-Protocol-Version": result["protocolVersion"]}
        if session := answer.headers.get("mcp-session-id"):
            self._session["Mcp-Session-Id"] = session
        post_json(
            self._url,
            {"jsonrpc": "2.0", "method": "notifications/initialized"},
            {**self._bearer, **self._session},
        )
        return result

    def request(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Inside the session; raises StoryError with the error's own words."""
        return self._result(self._post({"method": method, "params": params or {}}))

    def attempt(self, method: str, params: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """HTTP status and the whole JSON-RPC message (empty when the body is none)."""
        answer = self._post({"method": method, "params": params})
        return answer.status, self._message(answer)

    def stateless(self, method: str, params: dict[str, Any], name: str = "") -> dict[str, Any]:
        """One call in the stateless era: no session, everything in the request."""
        prefix = "io.modelcontextprotocol/"
        meta = {
            prefix + "protocolVersion": STATELESS,
            prefix + "clientCapabilities": {},
            prefix + "clientInfo": {"name": self._name, "version": "1"},
        }
        headers = {"MCP-Protocol-Version": STATELESS, "Mcp-Method": method}
        if name:
            headers["Mcp-Name"] = name
        self._id += 1
        message = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": {**params, "_meta": meta}}
        return self._result(post_json(self._url, message, {**self._bearer, **headers}))

    def _post(self, message: dict[str, Any]) -> Answer:
        self._id += 1
        return post_json(
            self._url, {"jsonrpc": "2.0", "id": self._id, **message}, {**self._bearer, **self._session}
        )

    def _message(self, answer: Answer) -> dict[str, Any]:
        """The reply to the last request, out of a JSON body or an event stream."""
        if "text/event-stream" not in answer.headers.get("content-type", ""):
            return answer.json() if answer.body.startswith(b"{") else {}
        for line in answer.body.decode().splitlines():
            if line.startswith("data:") and (data := line[5:].strip()):
                message = json.loads(data)
                if message.get("id") == self._id:
                    return dict(message)
        raise StoryError("the event stream ended without an answer")

    def _result(self, answer: Answer) -> dict[str, Any]:
        message = self._message(answer)
        if "result" not in message:
            raise StoryError(
                f"{answer.status} {message.get('error', {}).get('message') or answer.body[:160]!r}"
            )
        return dict(message["result"])
