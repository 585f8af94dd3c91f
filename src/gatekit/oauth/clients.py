"""Which client is this, and is it really that one?  (RFC 6749 §2.3, RFC 7523 §2.2)

One answer for every endpoint that a client calls in its own name. A secret that was changed is good for a
while after it, so that a client can be given its new one without an outage.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from hmac import compare_digest
from urllib.parse import unquote_to_bytes

from msgspec import Struct
from starlette.requests import Request

from gatekit.errors import InvalidClient, InvalidRequest
from gatekit.model.oauth import Client, TokenAuthMethod
from gatekit.oauth.assertions import ASSERTION_TYPE, Assertions, read
from gatekit.oauth.core import Core
from gatekit.oauth.documents import UNKNOWN, Documents
from gatekit.oauth.http import Form
from gatekit.platform.foreign import Foreign
from gatekit.platform.vault import token_hash

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class Credentials(Struct, frozen=True):
    """What a request says about its client."""

    client_id: str
    method: TokenAuthMethod
    secret: str = ""
    assertion: Foreign | None = None


class ClientAuthentication:
    """Shared by every endpoint that a client calls in its own name."""

    def __init__(self, core: Core, documents: Documents) -> None:
        self._core = core
        self._documents = documents
        self._assertions = Assertions(core)

    async def authenticate(
        self, request: Request, form: Form, known: Mapping[str, Client] | None = None
    ) -> Client:
        """The client that makes this request; one of ``known`` before all others.

        The method is the registered one and no other (checklist A1). Raises ``InvalidClient`` with the same
        words whatever was wrong, or ``InvalidRequest`` if the request uses two methods (RFC 6749 §2.3).
        """
        given = _credentials(request, form)
        await self._documents.for_client(request, given.client_id)
        client = (known or {}).get(given.client_id)
        client = client or await self._core.store.clients.get(given.client_id)
        if client is None:
            raise InvalidClient(UNKNOWN, f"unknown client {given.client_id[:80]!r}")
        if client.disabled:
            raise InvalidClient(UNKNOWN, f"client {client.id} is disabled")
        if given.method != client.auth_method:
            raise InvalidClient(
                UNKNOWN, f"client {client.id} must use {client.auth_method}, not {given.method}"
            )
        if given.assertion is not None:
            await self._assertions.check(given.assertion, client)
        elif client.auth_method != "none" and not self._knows_secret(client, given.secret):
            raise InvalidClient(UNKNOWN, f"wrong secret for client {client.id}")
        return client

    def _knows_secret(self, client: Client, secret: str) -> bool:
        given = token_hash(secret)
        old = client.old_secret_hash if client.old_secret_until > self._core.now() else None
        # Both are compared, whatever the first says: the time tells nothing (checklist A1).
        return any([compare_digest(given, known or "") for known in (client.secret_hash, old)])


def _credentials(request: Request, form: Form) -> Credentials:
    headers = [value for value in request.headers.getlist("authorization") if value[:6].lower() == "basic "]
    secret = form.get("client_secret")
    assertion = form.get("client_assertion")
    if len(headers) + (secret is not None) + (assertion is not None) > 1:
        raise InvalidRequest("more than one client authentication method")
    if assertion is not None or form.get("client_assertion_type") is not None:
        return _asserted(form, assertion)
    if headers:
        basic = _basic(headers[0][6:])
        if form.get("client_id") not in (None, basic.client_id):
            raise InvalidRequest("client_id differs from the one in the Authorization header")
        return basic
    client_id = form.get("client_id")
    if client_id is None:
        raise InvalidClient("client authentication is missing")
    return Credentials(client_id, "client_secret_post" if secret else "none", secret or "")


def _asserted(form: Form, assertion: str | None) -> Credentials:
    """RFC 7521 §4.2: both parameters, and a client_id only if it is the one that the assertion is about."""
    if assertion is None or form.get("client_assertion_type") != ASSERTION_TYPE:
        raise InvalidClient(UNKNOWN, "client_assertion without its type, or of another type")
    client_id, found = read(assertion)
    if form.get("client_id") not in (None, client_id):
        raise InvalidClient(UNKNOWN, "client_id differs from the one that the assertion is about")
    return Credentials(client_id, "private_key_jwt", assertion=found)


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
