"""``webhook``: a plugin behind an HTTP address. Every message is signed.

Signed as Standard Webhooks 1.0 say: ``webhook-signature: v1,base64(HMAC-SHA256(key, id.timestamp.body))``.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import msgspec

from gatekit.platform.signed import key_of, signature
from gatekit.plugin import PluginError
from gatekit.plugins.remote import Remote, RemoteOptions, Unusable

_LONGEST = 600.0
"""Seconds; the entry's deadline comes first."""
_PASS = b'{"verdict":"pass"}'


class Webhook(Remote):
    """POSTs each message; 200 with a verdict, or 204 for pass."""

    class Settings(RemoteOptions, frozen=True, kw_only=True):
        url: str
        secret: str
        """Key of the signature: text of at least 16 characters, or ``whsec_`` and base64."""
        headers: dict[str, str] = {}  # noqa: RUF012 - msgspec copies it

    def __init__(self, options: Settings, name: str = "") -> None:
        super().__init__(options, name)
        parts = urlsplit(options.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise PluginError("url: expected an http or https address")
        self._key = _key(options.secret)

    async def ask(self, message: dict[str, Any]) -> bytes:
        means = self.means
        if means is None:
            raise Unusable("nothing to reach out with")
        body = msgspec.json.encode(message)
        if len(body) > self.options.max_bytes:
            raise Unusable("the message is larger than max_bytes")
        delivery, at = means.entropy.token("msg_", 18), str(int(means.clock.now()))
        headers = {
            **self.options.headers,
            "content-type": "application/json",
            "webhook-id": delivery,
            "webhook-timestamp": at,
            "webhook-signature": signature(self._key, delivery, at, body),
        }
        status, answer = await means.post(self.options.url, headers, body, _LONGEST, self.options.max_bytes)
        if status == 204:
            return _PASS
        if status != 200:
            raise Unusable(f"the webhook answered {status}")
        return answer


def _key(secret: str) -> bytes:
    try:
        return key_of(secret)
    except ValueError as error:
        raise PluginError(f"secret: {error}") from None
