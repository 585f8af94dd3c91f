"""One line of the trail: the event's JSON, then ``seq``, ``writer``, ``prev`` and ``hash``.

``hash`` is the SHA-256 of the line's own bytes before ``,"hash":``. ``prev`` is the ``hash`` of the record
before it and lies inside those bytes, so that no record can be changed, dropped or moved without breaking
the chain from there on. The first record of a writer has ``prev`` = 64 zeros.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256

from msgspec import Struct

GENESIS = b"0" * 64
_TRAILER = re.compile(rb',"seq":(\d+),"writer":"([a-z]+)","prev":"([0-9a-f]{64})","hash":"([0-9a-f]{64})"\}$')
_HASH_AND_END = 64 + len(b',"hash":""}')


class Seal(Struct, frozen=True):
    """What ties a record to its neighbours."""

    seq: int
    prev: bytes
    hash: bytes


def seal_all(bodies: Iterable[bytes], writer: bytes, seq: int, prev: bytes) -> tuple[bytes, int, bytes]:
    """Turn encoded events into lines that follow the record ``seq`` with hash ``prev``.

    Returns the lines as one byte string, and number and hash of the last of them.
    """
    parts: list[bytes] = []
    for body in bodies:
        seq += 1
        head = b'%b,"seq":%d,"writer":"%b","prev":"%b"' % (body[:-1], seq, writer, prev)
        prev = sha256(head).hexdigest().encode()
        parts.append(b'%b,"hash":"%b"}\n' % (head, prev))
    return b"".join(parts), seq, prev


def read_seal(line: bytes) -> Seal | None:
    """The seal of a line (without line feed), or None if the line is not what was once written."""
    match = _TRAILER.search(line)
    if match is None or sha256(line[:-_HASH_AND_END]).hexdigest().encode() != match[4]:
        return None
    return Seal(int(match[1]), match[3], match[4])
