"""What ``gatekit doctor`` takes from the command line and its environment."""

from __future__ import annotations

import click
import pytest

from gatekit.cli.doctor import KEY_VARIABLE, _document, _key, _row, _summary
from gatekit.doctor.ailments import Ailment
from gatekit.doctor.examine import Order, Result
from gatekit.doctor.signin import Somebody
from gatekit.doctor.table import PROFILES
from gatekit.doctor.walk import Course


def test_a_key_from_a_file_has_its_newline_taken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, " gk_abc\n")
    assert _key() == "gk_abc"


@pytest.mark.parametrize("value", ["", " \n", "gk_a\nb", "gk_a b", "gk_\xe9"])
def test_what_is_no_key_is_not_sent_and_not_quoted(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, value)
    with pytest.raises(click.UsageError) as wrong:
        _key()
    assert "gk_" not in str(wrong.value)


def test_who_was_not_judged_does_not_count_as_in() -> None:
    judged, unsigned, flooded = (Course(profile) for profile in PROFILES[:3])
    judged.steps = ["sign-in", "refresh"]
    unsigned.steps = ["token endpoint"]
    flooded.stopped = Ailment("registration-flood")
    result = Result(url="https://gate.example/mcp", courses=(judged, unsigned, flooded), findings=())
    order = Order(url=result.url, profiles=PROFILES[:3], somebody=Somebody("alice", "pw"))
    assert "could not be judged at once" in _row(flooded, 0)
    assert _summary(order, result) == (
        "2 of 3 clients get in, 1 of them only as far as the sign-in page; 1 could not be judged."
    )
    assert [each["ok"] for each in _document(result)["clients"]] == [True, True, False]
