"""The request that a proxy asks about, and which application it is for.

Everything here was written by the proxy, or by whoever it forgot to stop. So it is read only from the
operator's own proxies, each header at most once, and what two programs could read differently is refused: the
proxy and the application decide what a path means, and we have to decide about the very same thing (checklist
F4).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct
from starlette.requests import Request

from gatekit.errors import ForwardRefused
from gatekit.model.target import Target

BY_PROXY = "gatekit.by_proxy"
"""In the scope of a request whose network peer is one of ``proxy.trusted_proxies``."""
VERIFY = "/verify"
"""Where a proxy asks."""
AT_APPLICATION = "/.gatekit/"
"""What of an application's host is ours: its proxy sends it here."""
MAX_URI = 8192

_URI = re.compile(r"/[\x21\x22\x24-\x7e]*\Z")
"""Printable ASCII without ``#``: no request target has anything else (RFC 9112 §3.2.1)."""
_HOST = re.compile(r"([a-z0-9.-]{1,253}|\[[0-9a-f:.]{2,45}\])(:[0-9]{1,5})?\Z")
_METHOD = re.compile(r"[A-Z]{1,20}\Z")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_UNRESERVED = re.compile(r"%([0-9A-Fa-f]{2})")
_AMBIGUOUS = re.compile(r"[\\;\x00-\x1f\x7f-\xff%]|//")
"""What may be left of a decoded path and is read in more than one way: backslashes, path parameters, control
characters, escapes of escapes, empty segments."""


class Original(Struct, frozen=True, kw_only=True):
    """What the client asked the proxy for."""

    method: str
    origin: str
    """Normalised, e.g. ``https://wiki.example.com``."""
    path: str
    """As it came, still encoded."""
    uri: str
    """Path and query as they came."""


def read_original(request: Request) -> Original:
    """Raise ``ForwardRefused`` unless it came from a proxy of ours that says everything once."""
    if not request.scope.get(BY_PROXY):
        raise ForwardRefused(403, "only the operator's own proxies may ask", "the peer is no trusted proxy")
    method = _one(request, "x-forwarded-method")
    if not _METHOD.match(method):
        raise ForwardRefused(400, "X-Forwarded-Method is not a method")
    scheme = _one(request, "x-forwarded-proto").lower()
    host = _one(request, "x-forwarded-host").lower()
    if scheme not in _DEFAULT_PORTS or not _HOST.match(host):
        raise ForwardRefused(400, "X-Forwarded-Proto or X-Forwarded-Host is not usable")
    uri = _one(request, "x-forwarded-uri")
    if len(uri) > MAX_URI or not _URI.match(uri):
        raise ForwardRefused(400, "X-Forwarded-Uri is not a path with a query")
    return Original(
        method=method,
        origin=f"{scheme}://{host.removesuffix(_DEFAULT_PORTS[scheme])}",
        path=uri.partition("?")[0],
        uri=uri,
    )


def target_of(original: Original, targets: Iterable[Target], named: str | None) -> Target:
    """The application that a request is for; raise ``ForwardRefused``.

    ``named``: what the proxy's own configuration says. It decides nothing, it must agree: two readings of a
    Host header (RFC 9112 §3.2.2) would otherwise let somebody be checked for one application and reach
    another.
    """
    here = [target for target in targets if target.origin == original.origin]
    found = _by_path(original.path, here)
    if found is None:
        raise ForwardRefused(403, "there is no such application here", f"no target for {original.origin}")
    if named is not None and named != found.name:
        raise ForwardRefused(403, "there is no such application here", f"the proxy named {named[:80]!r}")
    return found


def _by_path(path: str, targets: Sequence[Target]) -> Target | None:
    """The one whose path is the longest prefix of ``path``, by whole segments."""
    if not any(target.path for target in targets):
        return targets[0] if targets else None  # all of the host is one application: no path to misread
    plain = _plain(path)
    exact = _longest(plain, [(target.path, target) for target in targets])
    if exact is not _longest(plain.lower(), [(target.path.lower(), target) for target in targets]):
        raise ForwardRefused(403, "the path can be read in two ways", "case decides the target")
    return exact


def _longest(path: str, targets: Sequence[tuple[str, Target]]) -> Target | None:
    fitting = [(own, target) for own, target in targets if path == own or path.startswith(f"{own}/")]
    return max(fitting, key=lambda pair: len(pair[0]))[1] if fitting else None


def _plain(path: str) -> str:
    """A path decoded once, if that is all anybody could make of it (RFC 3986 §6.2.2)."""
    decoded = _UNRESERVED.sub(_decode, path)
    segments = decoded.split("/")
    if _AMBIGUOUS.search(decoded) or any(segment.endswith((".", " ")) for segment in segments):
        # Dot segments; and what Windows takes for the same name without its last character.
        raise ForwardRefused(403, "the path can be read in two ways", "ambiguous path")
    return decoded


def _decode(escape: re.Match[str]) -> str:
    """Escapes of what stands for itself are decoded; an escaped slash is never the same as a slash."""
    char = chr(int(escape[1], 16))
    if char in "/\\%" or char < " " or char == "\x7f":
        raise ForwardRefused(403, "the path can be read in two ways", f"escaped {char!r} in the path")
    return char if char.isascii() else "?"  # a letter of another script: no target has one


def _one(request: Request, name: str) -> str:
    values = request.headers.getlist(name)
    if len(values) != 1 or not values[0]:
        raise ForwardRefused(400, f"{name} must be there once: see the proxy's configuration")
    return values[0]
