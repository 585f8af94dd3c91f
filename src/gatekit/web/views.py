"""What the pages of ``web`` itself show; those of a login are in ``oauth.pages``."""

from __future__ import annotations

from msgspec import Struct


class AppRow(Struct, frozen=True, kw_only=True):
    """An application that may act for the person, with all it was ever allowed."""

    client: str
    """Id of the client."""
    name: str
    host: str = ""
    """Who publishes it, where that is known."""
    resources: tuple[str, ...]
    may: tuple[str, ...]
    """In words."""
    since: str
    """Date, ISO 8601, UTC; as all dates here."""
    used: str
    until: str


class KeyRow(Struct, frozen=True, kw_only=True):
    id: str
    name: str
    hint: str
    """Last four characters."""
    servers: tuple[str, ...]
    """Empty: every server its owner may use."""
    read_only: bool = False
    until: str
    used: str
    """Empty: never."""


class BrowserRow(Struct, frozen=True, kw_only=True):
    """A browser in which the person is signed in."""

    id: str
    name: str
    address: str
    since: str
    """Date and time, UTC."""
    until: str
    here: bool
    """It is the one that looks at the page."""


class AccountView(Struct, frozen=True, kw_only=True):
    username: str
    csrf: str
    logout_csrf: str
    apps: tuple[AppRow, ...]
    keys: tuple[KeyRow, ...]
    browsers: tuple[BrowserRow, ...] = ()
    servers: tuple[str, ...]
    """Names of what the person may use."""
    lifetimes: tuple[int, ...]
    """Days to choose from for a new key."""
    recent: bool = True
    """Whether the person has shown a moment ago that it is really them; a key is only made then."""
    token: str = ""
    """A key that was just made; shown this once."""
    error: str = ""
    key_name: str = ""
    """As it was typed, after an error."""
    administrates: bool = False
    """Whether the pages of administrators open for this person."""


class AccessRow(Struct, frozen=True, kw_only=True):
    """One request for access, as its person sees it."""

    id: str
    what: str
    reason: str
    state: str
    asked: str
    until: str
    by: str


class AccessView(Struct, frozen=True, kw_only=True):
    username: str
    csrf: str
    logout_csrf: str
    servers: tuple[str, ...]
    """What may be asked for; ``open``: what of it the person may use already, at least in part."""
    open: tuple[str, ...]
    lifetimes: tuple[tuple[str, str], ...]
    """(seconds, words)."""
    rows: tuple[AccessRow, ...]
    error: str = ""


class PasskeyRow(Struct, frozen=True, kw_only=True):
    id: str
    name: str
    since: str
    used: str
    """Empty: never."""


class PasskeysView(Struct, frozen=True, kw_only=True):
    username: str
    csrf: str
    logout_csrf: str
    passkeys: tuple[PasskeyRow, ...]
    possible: bool
    """Whether this person can have any, here."""
    recent: bool
    """As in ``AccountView``."""
    nonce: str
    options: str
    """JSON for the browser (WebAuthn §5.4)."""
    error: str = ""


class SecondFactorView(Struct, frozen=True, kw_only=True):
    username: str
    csrf: str
    logout_csrf: str
    possible: bool
    """Whether this person can have one, here."""
    recent: bool
    """As in ``AccountView``."""
    since: str
    """Empty: there is none."""
    used: str
    """Empty: never."""
    left: int
    """Recovery codes."""
    error: str = ""
