"""Moments and durations as XML Schema writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from gatekit.errors import SamlRefused

_MOMENT = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d{1,9})?Z", re.ASCII)
_DURATION = re.compile(
    r"P(?:(\d{1,4})Y)?(?:(\d{1,5})M)?(?:(\d{1,6})D)?"
    r"(?:T(?:(\d{1,7})H)?(?:(\d{1,9})M)?(?:(\d{1,9})(?:\.\d+)?S)?)?",
    re.ASCII,
)
_SECONDS = (365 * 86400, 30 * 86400, 86400, 3600, 60, 1)


def moment(text: str) -> float:
    """Seconds since the epoch. SAML Core §1.3.3: in UTC, written with Z. Raise ``SamlRefused``."""
    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        raise SamlRefused("structure", f"not a moment in UTC: {text[:40]!r}")
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    try:
        whole = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as bad:
        raise SamlRefused("structure", f"no such moment: {text[:40]!r}") from bad
    return whole.timestamp() + float(found.group(7) or 0)


def written(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def duration(text: str) -> float | None:
    """Seconds; None for what is no duration."""
    found = _DURATION.fullmatch(text.strip())
    if found is None or not any(found.groups()):
        return None
    return float(sum(int(part or 0) * unit for part, unit in zip(found.groups(), _SECONDS, strict=True)))
