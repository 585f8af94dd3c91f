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

FEW = 100
"""Up to so many packages are cut out one by one; to take the words of the whole text apart costs as much."""


class Package(Struct, frozen=True):
    """One way of packing."""

    name: str
    sign: str
    """A character that every package of the kind has in it; empty: there is none."""
    mark: Any
    """Of something that every package of the kind has in it, if it holds what a rule could find."""
    regexp: Any
    """Of a whole package."""
    open: Callable[[str], str]

    def opened(self, text: str, data: bytes) -> str:
        """All packages of the kind in a text, opened, one behind the other."""
        if self.sign:  # what opens one opens many
            if text.count(self.sign) > FEW:
                return self.open("\n".join([word for word in text.split() if self.sign in word]))
            found = [match.group() for match in self.regexp.finditer(data)]
            return self.open(b"\n".join(found).decode("utf-8", "replace"))
        return "\n".join([self.open(match.group().decode()) for match in self.regexp.finditer(data)])


def present(data: bytes) -> list[Package]:
    """Those that could occur in a text (UTF-8)."""
    found = [each for each in SIGNED if each.sign.encode() in data and each.mark.search(data) is not None]
    if _CODED.search(data) is not None:
        found += [each for each in CODED if each.mark.search(data) is not None]
    return found


def _base64(text: str) -> str:
    if len(text) < 20 or text.islower() or text.isupper() or text.isdigit():
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


_CHAR = r"[A-Za-z0-9+/_\-]"
_OF_ASCII = r"[A-Za-f][A-HQ-Xg-nw-z0-3][ABEFIJMNQRUVYZcdghklopstwx014589]" + _CHAR
"""Base64 of three ASCII characters. What a rule could find has at least three times as many, whatever the
text around it; of long names one in some hundred has by chance."""
_BASE64_MARK = f"(?:{_OF_ASCII}){{3}}"
_HEX_MARK = r"(?:[2-7][0-9A-Fa-f]){10}"
"""Hexadecimal of ten ASCII characters. Hashes are rarely that."""
_CODED = re2.compile(f"{_BASE64_MARK}|{_HEX_MARK}".encode())


def _package(name: str, sign: str, mark: str, pattern: str, opener: Callable[[str], str]) -> Package:
    return Package(name, sign, re2.compile(mark.encode()), re2.compile(pattern.encode()), opener)


SIGNED = (
    _package("percent-encoding", "%", r"%[0-9A-Fa-f]{2}", r"[^\s\"'<>]*%[0-9A-Fa-f]{2}[^\s\"'<>]*", unquote),
    _package(
        "character references",
        "&",
        r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[a-zA-Z]{2,8});",
        r"[^\s<>]*&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[a-zA-Z]{2,8});[^\s<>]*",
        html.unescape,
    ),
    _package(
        "escapes",
        "\\",
        r"\\(?:u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|[ntr\"/])",
        r"[^\s]*\\(?:u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|[ntr\"/])[^\s]*",
        _escaped,
    ),
)
CODED = (
    _package("hex", "", _HEX_MARK, r"\b(?:[0-9A-Fa-f]{2}){20,}\b", _hex),
    _package(
        "base64",
        "",
        _BASE64_MARK,
        rf"{_CHAR}*{_BASE64_MARK}{_CHAR}*(?:\r?\n{_CHAR}{{20,}})*={{0,2}}",
        _base64,
    ),
)
