"""What the pages of ``web`` itself show; those of a login are in ``oauth.pages``."""

from __future__ import annotations

from msgspec import Struct


class AppRow(Struct, frozen=True, kw_only=True):
    """An application that may act for the person."""

    grant: str
    name: str
    resources: tuple[str, ...]
    since: str
    """Date, ISO 8601, UTC; as all dates here."""
    until: str


class KeyRow(Struct, frozen=True, kw_only=True):
    id: str
    name: str
    hint: str
    """Last four characters."""
    servers: tuple[str, ...]
    """Empty: every server its owner may use."""
    until: str
    used: str
    """Empty: never."""


class AccountView(Struct, frozen=True, kw_only=True):
    username: str
    csrf: str
    logout_csrf: str
    apps: tuple[AppRow, ...]
    keys: tuple[KeyRow, ...]
    servers: tuple[str, ...]
    """Names of what the person may use."""
    lifetimes: tuple[int, ...]
    """Days to choose from for a new key."""
    token: str = ""
    """A key that was just made; shown this once."""
    error: str = ""
