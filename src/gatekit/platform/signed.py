"""Messages to webhooks, signed as Standard Webhooks 1.0 say:
``webhook-signature: v1,base64(HMAC-SHA256(key, id.timestamp.body))``."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

_PREFIX = "whsec_"
LEAST_KEY = 16
"""Bytes."""


def key_of(secret: str) -> bytes:
    """The key that a secret stands for: ``whsec_`` and base64, as receivers' libraries take it, or the text
    itself. Raises ``ValueError`` which says what is wrong with it, and not what it is."""
    key = secret.encode()
    if secret.startswith(_PREFIX):
        try:
            key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            raise ValueError("after whsec_ comes base64") from None
    if len(key) < LEAST_KEY:
        raise ValueError(f"at least {LEAST_KEY} bytes")
    return key


def signature(key: bytes, delivery: str, at: str, body: bytes) -> str:
    """``v1,…`` over id, timestamp (seconds since the epoch) and body."""
    digest = hmac.new(key, b".".join((delivery.encode(), at.encode(), body)), hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
