"""Fit a document to the schema, and say about an unknown key what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from gatekit.config import document as doc
from gatekit.config.fields import Place, kinds, read_section
from gatekit.config.schema import PLACES, FileIn, section_at

_HINTS = {
    "type": "a server has a command or a url, and perhaps a transport",
    "listen": "write proxy.host and proxy.port",
    "password": "people set their passwords through an invite: `gatekit users add NAME`",
    "denied_users": "access lists only allow; whoever is on no list is refused",
}


def validate(document: doc.Document, secret_places: Iterable[doc.Path]) -> FileIn:
    """Read the whole file; every misfit becomes a fault of the document and is replaced by its default."""
    place = Place(document, (), frozenset(secret_places), unknown_key)
    return read_section(FileIn, document.data, place)


def nearest(word: str, known: Iterable[str]) -> str:
    """`` (did you mean 'command'?)`` or nothing."""
    close = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.7)
    return f" (did you mean '{close[0]}'?)" if close else ""


def unknown_key(path: doc.Path) -> str:
    """What to say about a key that does not exist at ``path``."""
    key = str(path[-1])
    section = section_at(path[:-1])
    known = list(kinds(section)) if section else []
    if doc.matches(path[:-1], "servers.*") and isinstance(path[1], str):
        known.remove("name")
        if key == "name":
            return "unknown key here (the name stands before the colon in this form)"
    if close := nearest(key, known):
        return f"unknown key{close}"
    if hint := _HINTS.get(key):
        return f"unknown key ({hint})"
    homes = [place for place, model in PLACES.items() if key in kinds(model)]
    if homes:
        return f"unknown key here (it belongs {'under ' + homes[0] if homes[0] else 'at the top'})"
    if close := _nearest_elsewhere(key):
        return f"unknown key{close}"
    return f"unknown key (known here: {', '.join(sorted(known))})"


def _nearest_elsewhere(key: str) -> str:
    fixed = [(place, model) for place, model in PLACES.items() if "*" not in place]
    keys = {name: f"{place}.{name}".removeprefix(".") for place, model in fixed for name in kinds(model)}
    close = difflib.get_close_matches(key.lower(), list(keys), n=1, cutoff=0.75)
    return f" (did you mean '{keys[close[0]]}'?)" if close else ""
