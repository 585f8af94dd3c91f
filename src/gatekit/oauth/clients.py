"""Which client is this, and is it really that one?  (RFC 6749 §2.3)"""

from __future__ import annotations

import base64
import binascii
import re
from hmac import compare_digest
from urllib.parse import unquote_to_bytes

from msgspec import Struct
from starlette.requests import Request

from gatekit.errors import InvalidClient, InvalidRequest
from gatekit.model.oauth import Client, TokenAuthMethod
from gatekit.oauth.core import Core
from gatekit.oauth.documents import UNKNOWN, Documents
from gatekit.oauth.http import Form
from gatekit.platform.vault import token_hash

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class Credentials(Struct, frozen=True):
    """What a request says about its client."""

    client_id: str
    method: TokenAuthMethod
    secret: str = ""


class ClientAuthentication:
    """Shared by every endpoint that a client calls in its own name."""

    def __init__(self, core: Core, documents: Documents) -> None:
        self._core = core
        self._documents = documents

    async def authenticate(self, request: Request, form: Form) -> Client:
        """The client that makes this request.

        The method is the registered one and no other (checklist A1). Raises ``InvalidClient`` with the same
        words whatever was wrong, or ``InvalidRequest`` if the request uses two methods (RFC 6749 §2.3).
        """
        given = _credentials(request, form)
        await self._documents.for_client(request, given.client_id)
        client = await self._core.store.clients.get(given.client_id)
        if client is None:
            raise InvalidClient(UNKNOWN, f"unknown client {given.client_id[:80]!r}")
        if client.disabled:
            raise InvalidClient(UNKNOWN, f"client {client.id} is disabled")
        if given.method != client.auth_method:
            raise InvalidClient(
                UNKNOWN, f"client {client.id} must use {client.auth_method}, not {given.method}"
            )
        if client.auth_method != "none" and not compare_digest(
            token_hash(given.secret), client.secret_hash or ""
        ):
            raise InvalidClient(UNKNOWN, f"wrong secret for client {client.id}")
        return client


def _credentials(request: Request, form: Form) -> Credentials:
    headers = [value for value in request.headers.getlist("authorization") if value[:6].lower() == "basic "]
    secret = form.get("client_secret")
    if headers and (secret is not None or len(headers) > 1):
        raise InvalidRequest("more than one client authentication method")
    if headers:
        basic = _basic(headers[0][6:])
        if form.get("client_id") not in (None, basic.client_id):
            raise InvalidRequest("client_id differs from the one in the Authorization header")
        return basic
    client_id = form.get("client_id")
    if client_id is None:
        raise InvalidClient("client authentication is missing")
    return Credentials(client_id, "client_secret_post" if secret else "none", secret or "")


def _basic(encoded: str) -> Credentials:
    """RFC 6749 §2.3.1: base64 of two form-encoded parts. Read strictly; whatever is odd is refused."""
    try:
        raw = base64.b64decode(encoded.strip().encode("ascii"), validate=True)
        name, colon, secret = raw.partition(b":")
        if not colon or _BAD_ESCAPE.search(raw):
            raise ValueError("no colon or a broken escape")
        return Credentials(_unform(name), "client_secret_basic", _unform(secret))
    except (ValueError, binascii.Error) as bad:
        raise InvalidClient(UNKNOWN, f"malformed Basic credentials: {bad}") from bad


def _unform(part: bytes) -> str:
    return unquote_to_bytes(part.replace(b"+", b" ")).decode("utf-8")
