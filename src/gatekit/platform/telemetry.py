"""Logging: one line an event, and no secret in any of them.

Everything goes through one handler, whose formatter redacts the *finished* line, traceback included: a filter
on messages would miss what an exception carries. Control characters are escaped, so that a client name with a
line break in it cannot forge a line of its own (CWE-117).
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TextIO

import msgspec

HIDDEN = "***"

_TENANT: ContextVar[str] = ContextVar("gatekit_tenant", default="")
"""Whom what happens now is about. It belongs to the task; the tasks that one starts have it from there."""


@contextmanager
def about(tenant: str) -> Iterator[None]:
    """Lines that are written within say so, and those of every task that is started within."""
    before = _TENANT.set(tenant)
    try:
        yield
    finally:
        _TENANT.reset(before)


_NOISY = ("httpx2", "httpcore2", "asyncio", "aiosqlite", "multipart", "python_multipart")

_VALUE = r"[^\s\"'&,;<>\\)\]}]"
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        # PEM private keys
        (r"(?s)-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?(?:-----END \1-----|\Z)", HIDDEN),
        # whole headers, as text ("Cookie: a=b; c=d") or as pairs ((b'cookie', b'a=b'))
        (
            r"(?i)\b((?:set-)?cookie|(?:proxy-)?authorization|x-api-key)"
            r"(b?['\"]?\s*[:=,]\s*)(b?)(?:'[^'\r\n]*'|\"[^\"\r\n]*\"|[^\r\n'\"]*)",
            rf"\1\2\3{HIDDEN}",
        ),
        (r"(?i)\b(bearer|basic|dpop)\s+[A-Za-z0-9._~+/=-]{6,}", rf"\1 {HIDDEN}"),
        # our own tokens, keeping the prefix that says which kind it was
        (r"\b(gk_[a-z]{1,8}_)[A-Za-z0-9_-]{6,}", rf"\1{HIDDEN}"),
        # JSON Web Tokens and their kin
        (r"\beyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*){0,3}", HIDDEN),
        # GitHub's tokens
        (r"\b(gh[a-z]_|github_pat_)[A-Za-z0-9_]{10,}", rf"\1{HIDDEN}"),
        # parameters of queries, forms and JSON
        (
            r"(?i)\b((?:access_|refresh_|id_|csrf_|registration_access_)?token|code_verifier|(?:client_)?secret|"
            r"client_assertion|assertion|password|password_again|passphrase|csrf)"
            rf"(['\"]?\s*[=:]\s*b?['\"]?)({_VALUE}+)",
            rf"\1\2{HIDDEN}",
        ),
        # codes and states are long; "code=-32603" is an error number
        (rf"(?i)\b(code|state|txn)(['\"]?\s*[=:]\s*['\"]?)({_VALUE}{{12,}})", rf"\1\2{HIDDEN}"),
    )
)

_ESCAPED = {code: f"\\x{code:02x}" for code in (*range(32), *range(0x7F, 0xA0)) if code not in (9, 10)}
_ESCAPED.update({code: f"\\u{code:04x}" for code in (*range(0x2028, 0x202F), *range(0x2066, 0x206A))})

_COLOURS = {"debug": "2", "info": "36", "warning": "33", "error": "31", "critical": "1;31"}


def redact(text: str) -> str:
    """The text without anything that opens a door."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


class _Lines(logging.Formatter):
    """What both styles share: message and traceback, redacted, and harmless to a terminal."""

    def text(self, record: logging.LogRecord) -> str:
        return redact(record.getMessage()).translate(_ESCAPED).replace("\n", "\\n")

    def traceback(self, record: logging.LogRecord) -> str:
        if not record.exc_info:
            return ""
        return redact(self.formatException(record.exc_info)).translate(_ESCAPED)

    def at(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class HumanLines(_Lines):
    """``2026-11-23T09:08:14.123Z info  oauth  refused /token …``; only a traceback takes further lines."""

    def __init__(self, colour: bool = False) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        level = record.levelname.lower()
        shown = f"{level:<7}"
        at = self.at(record)
        if self._colour:
            shown = f"\x1b[{_COLOURS.get(level, '0')}m{shown}\x1b[0m"
            at = f"\x1b[2m{at}\x1b[0m"
        line = f"{at} {shown} {record.name.removeprefix('gatekit.')}: {self.text(record)}"
        if tenant := _TENANT.get():
            line += f" tenant={tenant}"
        traceback = self.traceback(record)
        return f"{line}\n{traceback}" if traceback else line


class JsonLines(_Lines):
    """One JSON object a line: ``at``, ``level``, ``logger``, ``event``; ``tenant`` if there are several, and
    ``traceback`` after a failure."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": self.at(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": self.text(record),
        }
        if tenant := _TENANT.get():
            line["tenant"] = tenant
        if traceback := self.traceback(record):
            line["traceback"] = traceback
        return msgspec.json.encode(line).decode("utf-8")


def start_logging(
    stream: TextIO | None = None, *, environ: Mapping[str, str] | None = None, level: int = logging.INFO
) -> None:
    """Send every record to ``stream`` (stderr), in the style that ``GATEKIT_LOG`` asks for.

    ``GATEKIT_LOG=json`` gives JSON lines, anything else lines for people, coloured on a terminal unless
    ``NO_COLOR`` is set. ``GATEKIT_LOG_LEVEL`` (debug, info, warning, error) outdoes ``level``.
    """
    environ = os.environ if environ is None else environ
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    if environ.get("GATEKIT_LOG", "").lower() == "json":
        handler.setFormatter(JsonLines())
    else:
        handler.setFormatter(HumanLines(colour=stream.isatty() and not environ.get("NO_COLOR")))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    wanted = logging.getLevelNamesMapping().get(environ.get("GATEKIT_LOG_LEVEL", "").upper(), level)
    root.setLevel(wanted)
    for name in _NOISY:  # they log URLs and headers; ours say what happened
        logging.getLogger(name).setLevel(max(wanted, logging.WARNING))
