"""Time-based one-time passwords (RFC 6238) as every authenticator application makes them: SHA-1, six digits,
thirty seconds. Many ignore whatever else one asks for, and HMAC does not suffer from what is wrong with SHA-1
(RFC 4226 §B.1)."""

from __future__ import annotations

import hmac
from base64 import b32decode
from urllib.parse import quote, urlencode

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
SECRET_LETTERS = 32
"""160 bits (RFC 4226 §4 R6)."""
PERIOD = 30
DIGITS = 6
DRIFT = 1
"""Steps that a clock may be off, either way (RFC 6238 §5.2)."""


def code_at(secret: str, step: int) -> str:
    """RFC 4226 §5.3. ``secret`` in base32, as long as a multiple of eight letters."""
    digest = hmac.digest(b32decode(secret), step.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return str(number % 10**DIGITS).zfill(DIGITS)


def step_of(secret: str, code: str, now: float) -> int | None:
    """The time step that ``code`` is of, if it is of now; all are compared, whichever it is."""
    middle = int(now) // PERIOD
    found = None
    for step in range(middle - DRIFT, middle + DRIFT + 1):
        if hmac.compare_digest(code_at(secret, step).encode(), code.encode("utf-8", "replace")):
            found = step
    return found


def address(secret: str, issuer: str, username: str) -> str:
    """What an application is told by a QR code."""
    about = {"secret": secret, "issuer": issuer, "algorithm": "SHA1", "digits": DIGITS, "period": PERIOD}
    return f"otpauth://totp/{quote(f'{issuer}:{username}', safe=':')}?{urlencode(about, quote_via=quote)}"
