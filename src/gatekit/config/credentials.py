"""What is said alike of everybody who proves themselves to us, whether a client or a resource server."""

from __future__ import annotations

import re
from hashlib import sha256

LEAST_SECRET = 20
"""Characters. It is stored as a plain hash, so it must be nothing that could be guessed."""
TOO_SHORT = f"is too short: at least {LEAST_SECRET} characters, like those of `openssl rand -hex 32`"

NO_SCOPE = "is not a scope: printable characters without blanks and quotes"
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,100}")


def is_scope(text: str) -> bool:
    """RFC 6749 §3.3."""
    return _SCOPE.fullmatch(text) is not None


def is_too_short(secret: str | None) -> bool:
    """Whether there is a secret, and it could be guessed."""
    return secret is not None and len(secret) < LEAST_SECRET


def secret_hash(secret: str | None) -> str | None:
    """As ``platform.vault.token_hash`` does it, whose library a configuration must not load."""
    return sha256(secret.encode()).hexdigest() if secret is not None else None
