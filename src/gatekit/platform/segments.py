"""base64url without padding, as JOSE writes it: one spelling for each value."""

from __future__ import annotations

import base64
import re

_SEGMENT = re.compile(r"[A-Za-z0-9_-]+\Z")


def encode_segment(data: bytes) -> str:
    """base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode_segment(segment: str) -> bytes:
    """The one canonical reading of a base64url segment; raise ``ValueError`` for every other spelling."""
    if not _SEGMENT.match(segment):
        raise ValueError("not base64url")
    data = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    if encode_segment(data) != segment:
        raise ValueError("not canonical base64url")
    return data
