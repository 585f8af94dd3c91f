"""The ways in which texts are packed, and how each is opened."""

from __future__ import annotations

import binascii
import html
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import re2
from msgspec import Struct


class Package(Struct, frozen=True):
    """One way of packing."""

    name: str
    mark: str
    """Pattern of something that every package of the kind has in it."""
    regexp: Any
    """Of a whole package."""
    open: Callable[[str], str]


def _base64(text: str) -> str:
    if text.islower() or text.isupper() or text.isdigit():
        return ""  # names, hashes and numbers; base64 of any text mixes cases
    compact = "".join(text.split()).replace("-", "+").replace("_", "/").rstrip("=")
    compact = compact[: len(compact) - (len(compact) % 4 == 1)]
    try:
        data = binascii.a2b_base64(compact + "=" * (-len(compact) % 4))
    except ValueError:
        return ""
    try:
        opened = data.decode("utf-16-le" if data[1:2] == b"\0" else "utf-8")
    except UnicodeDecodeError:
        return ""
    # Ordinary names decode too, to noise; noise has control characters in it.
    return opened if "".join(opened.split()).replace(" ", "").isprintable() else ""


def _hex(text: str) -> str:
    try:
        opened = bytes.fromhex(text).decode()
    except ValueError:
        return ""
    return opened if opened.isprintable() else ""


_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r"}


def _escaped(text: str) -> str:
    """Backslash escapes as JSON, Python and shells write them (RFC 8259 §7)."""
    return _ESCAPE.sub(_unescape, text)


def _unescape(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    return chr(int(code, 16)) if code else _CONTROLS.get(match[3], match[3])


def _package(name: str, mark: str, pattern: str, opener: Callable[[str], str]) -> Package:
    return Package(name, mark, re2.compile(pattern.encode()), opener)


PACKAGES = (
    _package("percent-encoding", r"%[0-9A-Fa-f]{2}", r"[^\s\"'<>]*%[0-9A-Fa-f]{2}[^\s\"'<>]*", unquote),
    _package(
        "character references",
        r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[a-zA-Z]{2,8});",
        r"[^\s<>]*&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[a-zA-Z]{2,8});[^\s<>]*",
        html.unescape,
    ),
    _package(
        "escapes",
        r"\\(?:u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|[ntr\"/])",
        r"[^\s]*\\(?:u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|[ntr\"/])[^\s]*",
        _escaped,
    ),
    _package("hex", r"[0-9A-Fa-f]{40}", r"\b(?:[0-9A-Fa-f]{2}){20,}\b", _hex),
    _package(
        "base64",
        r"[A-Za-z0-9+/_\-]{20}",
        r"[A-Za-z0-9+/_\-]{20,}(?:\r?\n[A-Za-z0-9+/_\-]{20,})*={0,2}",
        _base64,
    ),
)
"""In the order in which they are opened."""
