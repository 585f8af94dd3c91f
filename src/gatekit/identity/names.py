"""How a username is written, so that two spellings of one name are one name."""

from __future__ import annotations

import re
import unicodedata

MAX_USERNAME = 64

_NOT_IN_A_NAME = re.compile(r"[^a-z0-9._@+-]+")


def canonical_username(text: str) -> str:
    """Lower case, NFC, without white space around it.

    Without it ``Alice`` and ``alice`` would be two accounts to the store and one person to everybody else;
    Authelia had to fix that as a security defect (checklist U5).
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text.strip()).lower())


def username_candidates(login: str, connection: str, attempts: int = 50) -> list[str]:
    """Usernames to try for a newcomer, in order: ``alice``, ``alice-github``, ``alice-github-2`` …"""
    base = _NOT_IN_A_NAME.sub("-", canonical_username(login)).strip("-.")[: MAX_USERNAME - 24] or "user"
    marked = f"{base}-{connection}"[: MAX_USERNAME - 4]
    return [base, marked, *(f"{marked}-{number}" for number in range(2, attempts))]
