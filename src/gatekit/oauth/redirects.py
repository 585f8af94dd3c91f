"""Redirect URIs: which may be registered, and which registered one a request means.

Comparison is of raw strings (RFC 9700 §2.1, RFC 8252 §7.3). The one exception is the port of an ``http``
loopback address, because a desktop client learns its port only when it runs. Nothing is ever normalised: two
parsers that read a URI differently are how redirects are stolen (checklist D1–D3).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote, urlsplit

from msgspec import Struct

from gatekit.errors import InvalidRedirectUri

MAX_URIS = 20
MAX_LENGTH = 2048

_URI_CHARS = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]+\Z")  # RFC 3986 without "#": no fragment
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_LOOPBACK = re.compile(
    r"http://(localhost|127(?:\.(?:0|[1-9]\d?|1\d\d|2[0-4]\d|25[0-5])){3}|\[::1\])(?::(\d{1,5}))?(/.*|\?.*)?\Z"
)
_HTTPS = re.compile(r"https://((?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]*[a-z0-9])?|\[[0-9a-f:.]+\])"
                    r"(?::(\d{1,5}))?(/.*|\?.*)?\Z", re.IGNORECASE)  # fmt: skip
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")

_NEVER = frozenset(
    [
        "about",
        "blob",
        "chrome",
        "chrome-extension",
        "content",
        "data",
        "file",
        "filesystem",
        "ftp",
        "http",
        "intent",
        "jar",
        "javascript",
        "mailto",
        "moz-extension",
        "resource",
        "sms",
        "tel",
        "urn",
        "vbscript",
        "view-source",
        "ws",
        "wss",
    ]
)
"""Never a redirect target, whatever the allow-list says: scripts, local files, plain text on the wire."""


class Usable(Struct, frozen=True):
    """May be registered."""


class Unusable(Struct, frozen=True):
    """May not. ``hostile``: no honest client needs it, so the registration as a whole is refused."""

    reason: str
    hostile: bool


def judge(uri: str, private_use_schemes: Iterable[str]) -> Usable | Unusable:
    """Judge one URI of a registration."""
    if len(uri) > MAX_LENGTH:
        return Unusable("is too long", True)
    if "#" in uri:
        return Unusable("must not have a fragment", True)
    if not _URI_CHARS.match(uri) or _BAD_ESCAPE.search(uri):
        return Unusable("has characters that a URI cannot have", True)
    scheme = _SCHEME.match(uri)
    if scheme is None:
        return Unusable("is not an absolute URI", True)
    name = scheme[1]
    if name == "https":
        return _judge_https(uri)
    if name == "http":
        return _judge_loopback(uri)
    if name.lower() in _NEVER or name.lower() == "https":
        return Unusable(f"must not use the scheme {name}", True)
    if name not in tuple(private_use_schemes):
        return Unusable(
            f"uses the scheme {name}, which is not in the list of allowed private-use schemes", False
        )
    return Usable()


def _judge_https(uri: str) -> Usable | Unusable:
    match = _HTTPS.match(uri)
    if match is None or not _port_ok(match[2]):
        return Unusable("must be https with a plain host name, without user information or wildcard", True)
    return Usable()


def _judge_loopback(uri: str) -> Usable | Unusable:
    match = _LOOPBACK.match(uri)
    if match is None or not _port_ok(match[2]):
        return Unusable("may use http only for localhost, 127.0.0.1 or [::1]; use https", True)
    return Usable()


def _port_ok(port: str | None) -> bool:
    return port is None or 0 < int(port) < 65536


def acceptable(uris: Sequence[str], private_use_schemes: Sequence[str]) -> tuple[str, ...]:
    """The URIs of a registration that may be kept; raise ``InvalidRedirectUri``.

    A private-use scheme that is not allowed is left out if something else remains, because clients list every
    callback they might ever use (Cursor lists three kinds). A hostile one refuses the registration.
    """
    if not uris:
        raise InvalidRedirectUri("redirect_uris must hold at least one redirect_uri")
    if len(uris) > MAX_URIS:
        raise InvalidRedirectUri(f"more than {MAX_URIS} entries in redirect_uris")
    kept: dict[str, None] = {}
    refused = []
    for uri in uris:
        judgement = judge(uri, private_use_schemes)
        if isinstance(judgement, Usable):
            kept[uri] = None
            continue
        refused.append(f"redirect_uri {printable(uri)} {judgement.reason}")
        if judgement.hostile:
            raise InvalidRedirectUri(refused[-1])
    if not kept:
        raise InvalidRedirectUri(refused[0])
    return tuple(kept)


def match(registered: Sequence[str], presented: str) -> str | None:
    """The registered URI that ``presented`` means, or None. Exact but for a loopback port (RFC 8252 §7.3)."""
    if presented in registered:
        return presented
    wanted = _loopback_parts(presented)
    if wanted is None:
        return None
    return next((uri for uri in registered if _loopback_parts(uri) == wanted), None)


def _loopback_parts(uri: str) -> tuple[str, str] | None:
    """(host, path and query) of a loopback URI that may be used, port left out."""
    found = _LOOPBACK.match(uri)
    if found is None or not _port_ok(found[2]) or not _URI_CHARS.match(uri):
        return None
    return found[1], found[3] or ""


def normal(uri: str) -> str:
    """The URI that stands for all spellings ``match`` takes for the same: a loopback one without its port."""
    parts = _loopback_parts(uri)
    return uri if parts is None else f"http://{parts[0]}{parts[1]}"


def is_loopback(uri: str) -> bool:
    """Whether the redirect stays on the person's own machine."""
    return _LOOPBACK.match(uri) is not None


def display_host(uri: str) -> str:
    """What the consent page shows as the place the answer goes to."""
    parts = urlsplit(uri)
    if parts.scheme in ("http", "https"):
        return parts.netloc
    return f"{parts.scheme}: (an application on this device)"


def answer(uri: str, params: Iterable[tuple[str, str]]) -> str:
    """``uri`` with ``params`` added to the query it may already have (RFC 6749 §4.1.2)."""
    query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in params)
    if "?" not in uri:
        return f"{uri}?{query}"
    return f"{uri}{query}" if uri.endswith(("?", "&")) else f"{uri}&{query}"


def printable(text: str) -> str:
    """Short and ASCII, for an error_description (RFC 6749 §5.2 forbids quotes and backslashes there)."""
    clean = "".join(char if " " <= char <= "~" and char not in '"\\' else "?" for char in text)
    return clean if len(clean) <= 100 else clean[:97] + "..."
