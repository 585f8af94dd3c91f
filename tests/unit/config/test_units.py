"""Durations and sizes."""

from __future__ import annotations

import pytest

from gatekit.config.units import seconds, show_seconds, show_size, size


@pytest.mark.parametrize(
    ("text", "expected"),
    [(300, 300), (0.5, 0.5), ("300", 300), ("1.5", 1.5), ("5m", 300), ("1h30m", 5400), ("500ms", 0.5),
     ("30d", 2592000), ("2W", 1209600), (" 45s ", 45)],
)  # fmt: skip
def test_durations(text: object, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "m", "5 m", "5x", "-5m", "1m30", "m5", True, None, [5], "inf", "1e3"])
def test_no_durations(text: object) -> None:
    with pytest.raises(ValueError, match="a duration like"):
        seconds(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [(1024, 1024), ("1024", 1024), ("16MB", 16 * 1024**2), ("16 MiB", 16 * 1024**2), ("512k", 524288),
     ("1.5kb", 1536), ("1G", 1024**3), ("7b", 7)],
)  # fmt: skip
def test_sizes(text: object, expected: int) -> None:
    assert size(text) == expected


@pytest.mark.parametrize("text", ["", "MB", "-1MB", "1TB", True, 1.5, None, "1e3"])
def test_no_sizes(text: object) -> None:
    with pytest.raises(ValueError, match="a size like"):
        size(text)


@pytest.mark.parametrize("text", ["5m", "30d", "45s", "0.5s", "90s", "1h", "0s"])
def test_durations_are_shown_as_one_would_write_them(text: str) -> None:
    assert seconds(show_seconds(seconds(text))) == seconds(text)
    assert len(show_seconds(seconds(text))) <= len(text)


@pytest.mark.parametrize("text", ["17MB", "512KB", "100B", "1GB"])
def test_sizes_are_shown_as_one_would_write_them(text: str) -> None:
    assert show_size(size(text)) == text
