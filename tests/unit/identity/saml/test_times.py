"""Moments and durations."""

from __future__ import annotations

import pytest

from gatekit.errors import SamlRefused
from gatekit.identity.saml.times import duration, moment, written


def test_moments() -> None:
    assert moment("1970-01-01T00:00:10Z") == 10.0
    assert moment(" 1970-01-01T00:00:10.5Z\n") == 10.5
    assert moment(written(1_800_000_000.7)) == 1_800_000_000.0


@pytest.mark.parametrize("text", ["", "1970-01-01", "1970-01-01T00:00:10", "1970-02-30T00:00:00Z", "x"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(SamlRefused):
        moment(text)


def test_durations() -> None:
    assert duration("P1DT2H3M4.5S") == 93_784.0
    assert duration("P") is None
    assert duration("-PT1H") is None
