"""``url``, ``transport`` and ``headers`` of a server: what stands behind it is somewhere else."""

from __future__ import annotations

import re

from gatekit.config import document as doc
from gatekit.config.addresses import is_loopback
from gatekit.config.references import References
from gatekit.config.schema import ServerIn
from gatekit.errors import OutboundRefused
from gatekit.platform.targets import parse

FOR_COMMANDS = ("args", "env", "cwd", "warm", "allow_dangerous")
FOR_URLS = ("transport", "headers")

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 §5.6.2
_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
_OURS = frozenset(
    (
        "accept",
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "last-event-id",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
"""What the protocols themselves set."""


def check_keys(document: doc.Document, section: ServerIn, path: doc.Path) -> None:
    """A server has either a command or a URL, and the keys that go with it."""
    if section.url is None and section.command is None:
        # A slip of the pen is one fault, not an unknown key and a missing one.
        if not any(_explains(fault.path, fault.text, path) for fault in document.faults):
            document.fault((*path, "command"), "is required, or else a url")
        return
    if section.url is not None and section.command is not None:
        document.fault((*path, "url"), "there is a command as well; a server has one of the two")
        return
    kind, strange = ("url", FOR_COMMANDS) if section.command is None else ("command", FOR_URLS)
    defaults = ServerIn()
    for key in strange:
        if getattr(section, key) != getattr(defaults, key):
            document.fault((*path, key), f"means nothing to a server with a {kind}")


def _explains(place: doc.Path, text: str, path: doc.Path) -> bool:
    """Whether a fault at ``place`` is why neither key of the server at ``path`` could be read."""
    inside = place[: len(path)] == path and place[len(path) : len(path) + 1]
    misspelt = "'command'" in text or "'url'" in text
    return place == path or inside in (("command",), ("url",)) or (bool(inside) and misspelt)


def url(document: doc.Document, section: ServerIn, path: doc.Path) -> str:
    """The URL as it will be used; a fault if it cannot be."""
    place, text = (*path, "url"), section.url or ""
    if not text:
        return ""
    try:
        target = parse(text)
    except OutboundRefused as error:
        document.fault(place, f"{error} (expected something like https://mcp.example.com/mcp)")
        return ""
    if target.scheme == "http" and not is_loopback(target.host):
        secret = ", headers included," if section.headers else ""
        document.note(place, f"plain http: everything{secret} can be read and changed on the way; use https")
    return text


def headers(document: doc.Document, section: ServerIn, path: doc.Path) -> tuple[tuple[str, str], ...]:
    """Headers for every request; a fault for those that would forge or break one."""
    seen: set[str] = set()
    for name, value in section.headers.items():
        place, lower = (*path, "headers", name), name.lower()
        if not _TOKEN.fullmatch(name):
            document.fault(place, "is no name of a header")
        elif lower in _OURS or lower.startswith("mcp-"):
            document.fault(place, "is set by the protocol itself")
        elif lower in seen:
            document.fault(place, "is there already (case does not count)")
        elif not _VALUE.fullmatch(value) and not document.faulty(place):
            document.fault(place, "expected plain ASCII without line breaks or blanks around it")
        seen.add(lower)
    return tuple(section.headers.items())


def secret_headers(references: References, section: ServerIn, path: doc.Path) -> frozenset[str]:
    """Those whose value came from a reference."""
    return frozenset(name for name in section.headers if (*path, "headers", name) in references.places)
