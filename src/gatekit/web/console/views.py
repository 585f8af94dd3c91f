"""What the pages of administrators show. A few shapes for all of them: the templates are ``console/``."""

from __future__ import annotations

from msgspec import Struct

from gatekit.model.pin_diff import Line

Fact = tuple[str, str]
"""What it is, and how it is."""


class Frame(Struct, frozen=True, kw_only=True):
    """Around every page."""

    username: str
    role: str
    logout_csrf: str
    here: str
    """Path of the part of the console that the page belongs to."""


class Link(Struct, frozen=True):
    text: str
    href: str
    """Made by us, quoted."""


class Row(Struct, frozen=True, kw_only=True):
    """One of many."""

    title: str
    href: str = ""
    badges: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    links: tuple[Link, ...] = ()
    """What can be done about it."""


class Section(Struct, frozen=True, kw_only=True):
    title: str
    lead: str = ""
    rows: tuple[Row, ...] = ()
    empty: str = "None."
    more: Link | None = None


class Choice(Struct, frozen=True, kw_only=True):
    """A field. With ``options`` one of them is chosen, or several; otherwise text is typed."""

    name: str
    label: str
    hint: str = ""
    value: str = ""
    options: tuple[tuple[str, str], ...] = ()
    """(value, words)."""
    many: bool = False
    """Whether several of the options may be chosen, each a field of its own (``NAME:VALUE``) …"""
    chosen: tuple[str, ...] = ()
    """… and which are."""
    lines: int = 0
    """How many lines of text are seen at once; 0: it is one line."""
    required: bool = False


class Sheet(Struct, frozen=True, kw_only=True):
    """A page to look at."""

    frame: Frame
    title: str
    lead: str = ""
    badges: tuple[str, ...] = ()
    notice: str = ""
    """What was just done."""
    warnings: tuple[str, ...] = ()
    secret: str = ""
    """Shown this once."""
    secret_label: str = ""
    facts: tuple[Fact, ...] = ()
    links: tuple[Link, ...] = ()
    search: tuple[Choice, ...] = ()
    """Fields of a form that asks for the same page."""
    search_action: str = ""
    """Where that form goes; empty: to ``frame.here``."""
    kept: tuple[Fact, ...] = ()
    """Parameters of the address that it keeps: (name, value)."""
    lines: tuple[Line, ...] = ()
    """What somebody else wrote, with what changed of it."""
    sections: tuple[Section, ...] = ()


class Question(Struct, frozen=True, kw_only=True):
    """A page that asks before something is done."""

    frame: Frame
    title: str
    csrf: str
    seen: str = ""
    """Stands for how the thing was when the page was shown."""
    action: str
    """Where the form goes."""
    changes: tuple[str, ...] = ()
    """What will happen, a sentence each."""
    search: tuple[Choice, ...] = ()
    """Fields of a form that asks for the same page."""
    search_action: str = ""
    kept: tuple[Fact, ...] = ()
    """Parameters of the address that it keeps: (name, value)."""
    fields: tuple[Choice, ...] = ()
    lines: tuple[Line, ...] = ()
    """As on a ``Sheet``: what is agreed to."""
    button: str
    back: str
    error: str = ""
    faults: tuple[str, ...] = ()
    """All that is wrong with what was typed."""
