"""Times in answers: RFC 3339, UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def maybe(seconds: int | None) -> datetime | None:
    return None if seconds is None else moment(seconds)
