"""What the pages of administrators show. A few shapes for all of them: the templates are ``console/``."""

from __future__ import annotations

from msgspec import Struct

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


class Section(Struct, frozen=True, kw_only=True):
    title: str
    lead: str = ""
    rows: tuple[Row, ...] = ()
    empty: str = "None."
    more: Link | None = None


class Choice(Struct, frozen=True, kw_only=True):
    """A field. With ``options`` one of them is chosen, otherwise text is typed."""

    name: str
    label: str
    hint: str = ""
    value: str = ""
    options: tuple[tuple[str, str], ...] = ()
    """(value, words)."""
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
    sections: tuple[Section, ...] = ()


class Question(Struct, frozen=True, kw_only=True):
    """A page that asks before something is done."""

    frame: Frame
    title: str
    csrf: str
    action: str
    """Where the form goes."""
    changes: tuple[str, ...] = ()
    """What will happen, a sentence each."""
    fields: tuple[Choice, ...] = ()
    button: str
    back: str
    error: str = ""
