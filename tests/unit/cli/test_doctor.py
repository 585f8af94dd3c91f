"""What ``gatekit doctor`` takes from the command line and its environment."""

from __future__ import annotations

import click
import pytest

from gatekit.cli.doctor import KEY_VARIABLE, _key


def test_a_key_from_a_file_has_its_newline_taken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, " gk_abc\n")
    assert _key() == "gk_abc"


@pytest.mark.parametrize("value", ["", " \n", "gk_a\nb", "gk_a b", "gk_\xe9"])
def test_what_is_no_key_is_not_sent_and_not_quoted(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, value)
    with pytest.raises(click.UsageError) as wrong:
        _key()
    assert "gk_" not in str(wrong.value)
