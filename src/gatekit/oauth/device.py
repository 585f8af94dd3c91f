"""The device authorization endpoint (RFC 8628 §3.1): a device that has no browser asks for a pair of codes.

The person brings the short one to ``verification``; the device waits with the long one at the token endpoint
(``grants/device_code``).
"""

from __future__ import annotations

import contextlib
import math
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from gatekit.errors import Conflict, ServerError, TooManyRegistrations, UnauthorizedClient
from gatekit.model.oauth import DEVICE_CODE, Client, DeviceAuthorization
from gatekit.oauth.bounds import granted_to
from gatekit.oauth.clients import ClientAuthentication
from gatekit.oauth.core import Core
from gatekit.oauth.http import Form, address, form, json_answer, place
from gatekit.platform.limits import KeyedBuckets
from gatekit.platform.vault import token_hash

DEVICE_PREFIX = "gk_dc_"
PAGE = "/device"

LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""RFC 8628 §6.1: no vowels, so that no words come out, and nothing that looks like something else."""
CODE_LENGTH = 8
_ATTEMPTS = 5


class Devices:
    """POST /device_authorization."""

    def __init__(self, core: Core, clients: ClientAuthentication) -> None:
        self._core = core
        self._clients = clients
        self._budget = KeyedBuckets(core.settings.authorize_per_address, core.services.clock)

    async def authorization(self, request: Request) -> Response:
        """RFC 8628 §3.1 and §3.2. Raises ``OAuthError``."""
        fields = await form(request, self._core.settings.form_max_bytes)
        client = await self._clients.authenticate(request, fields)
        if DEVICE_CODE not in client.grant_types:
            raise UnauthorizedClient("the client is not registered for this grant type")
        wait = self._budget.take(place(request))  # every request writes a row
        if wait:
            raise TooManyRegistrations(math.ceil(wait))
        device_code = self._core.services.entropy.token(DEVICE_PREFIX)
        user_code = await self._store(request, fields, client, device_code)
        settings = self._core.settings
        page = f"{settings.issuer}{PAGE}"
        return json_answer(
            {
                "device_code": device_code,
                "user_code": user_code,
                "verification_uri": page,
                "verification_uri_complete": f"{page}?{urlencode({'user_code': user_code})}",
                "expires_in": settings.device_code_lifetime,
                "interval": settings.device_interval,
            }
        )

    async def _store(self, request: Request, fields: Form, client: Client, device_code: str) -> str:
        settings, now = self._core.settings, self._core.now()
        resources = self._core.resources.asked(fields.all("resource"), client.servers)
        for _ in range(_ATTEMPTS):
            user_code = self._user_code()
            with contextlib.suppress(Conflict):  # one chance in 25 thousand million for each code in use
                await self._core.store.device_authorizations.add(
                    DeviceAuthorization(
                        device_hash=token_hash(device_code),
                        user_code_hash=user_code_hash(self._core, user_code),
                        client_id=client.id,
                        scopes=granted_to(client, self._core.scopes(fields.get("scope"), resources)),
                        resources=resources,
                        address=address(request),
                        interval=settings.device_interval,
                        created_at=now,
                        expires_at=now + settings.device_code_lifetime,
                    )
                )
                return user_code
        raise ServerError("no code could be made")

    def _user_code(self) -> str:
        return as_shown(self._core.services.entropy.letters(LETTERS, CODE_LENGTH))


def user_code_hash(core: Core, typed: str) -> str:
    """What a user code is stored and found as; however it is spaced, dashed and cased (RFC 8628 §6.1)."""
    return core.services.vault.mac(letters_of(typed), "user-code")


def letters_of(typed: str) -> str:
    """The letters of a user code, without what people put between them."""
    return "".join(char for char in typed.upper()[:64] if char in LETTERS)


def as_shown(typed: str) -> str:
    """A user code as the device shows it; what cannot be one as it was typed."""
    letters = letters_of(typed)
    return f"{letters[:4]}-{letters[4:]}" if len(letters) == CODE_LENGTH else typed
