"""The official Python SDK as an application uses it, with a person who signs in when it asks for one."""

from __future__ import annotations

import asyncio
import urllib.parse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp.client.auth import OAuthClientProvider
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)
from pydantic import AnyUrl

from gatekit.demo.browser import Person

REDIRECT_URI = "http://127.0.0.1:33421/callback"


class Application:
    """Keeps what an application keeps between starts: registration and tokens. Counts logins."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.logins = 0
        self._tokens: OAuthToken | None = None
        self._client: OAuthClientInformationFull | None = None
        self._back: dict[str, str] = {}

    async def get_tokens(self) -> OAuthToken | None:
        return self._tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self._tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self._client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self._client = client_info

    async def open_browser(self, url: str) -> None:
        self.logins += 1
        self._back = await asyncio.to_thread(self.person.authorize, url, REDIRECT_URI)

    async def wait_for_redirect(self) -> AuthorizationCodeResult:
        if "code" not in self._back:
            raise PermissionError(urllib.parse.urlencode(self._back))
        return AuthorizationCodeResult(
            code=self._back["code"], state=self._back.get("state"), iss=self._back.get("iss")
        )

    @asynccontextmanager
    async def connect(self, url: str, mode: Any = "auto", **options: Any) -> AsyncIterator[Client]:
        """A connected client; the SDK does discovery, registration and login by itself."""
        metadata = OAuthClientMetadata(
            client_name="journey python",
            redirect_uris=[AnyUrl(REDIRECT_URI)],
            grant_types=["authorization_code", "refresh_token"],
            response_types=["code"],
            token_endpoint_auth_method="none",
        )
        auth = OAuthClientProvider(url, metadata, self, self.open_browser, self.wait_for_redirect)
        async with (
            httpx2.AsyncClient(auth=auth, timeout=60, follow_redirects=True) as http,
            Client(streamable_http_client(url, http_client=http), mode=mode, **options) as client,
        ):
            yield client


def text(result: Any) -> str:
    """The text of a tool result."""
    assert not result.is_error, result
    return " ".join(getattr(part, "text", "") for part in result.content)
