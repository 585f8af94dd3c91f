"""``proxy.auth.providers.local``: what the operator says of passkeys and second factors."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatekit.assembly import local_factors
from gatekit.config.load import load
from gatekit.config.show_connections import shown_connection
from gatekit.errors import ConfigError
from gatekit.model.factors import LocalFactors

FILE = "proxy: {{auth: {{providers: {{local: {{{0}}}}}}}}}\nservers: {{}}\n"


def written(folder: Path, keys: str) -> Path:
    path = folder / "gatekit.yaml"
    path.write_text(FILE.format(keys), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("keys", "factors", "shown"),
    [
        ("", LocalFactors(), {}),
        ("passkeys: false", LocalFactors(passkeys=False), {"passkeys": False}),
        (
            "second_factor: required",
            LocalFactors(second_factor="required"),
            {"second_factor": "required"},
        ),
        ("second_factor: 'off'", LocalFactors(second_factor="off"), {"second_factor": "off"}),
    ],
)
def test_read_and_shown_in_the_words_of_the_file(
    tmp_path: Path, keys: str, factors: LocalFactors, shown: dict[str, object]
) -> None:
    config = load(written(tmp_path, keys))
    assert local_factors(config) == factors
    assert shown_connection(config.auth.connections[0]) == {"type": "local", **shown}


def test_another_word_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="second_factor"):
        load(written(tmp_path, "second_factor: always"))


def test_without_an_entry_it_is_as_always(tmp_path: Path) -> None:
    path = tmp_path / "gatekit.yaml"
    path.write_text("servers: {}\n", encoding="utf-8")
    assert local_factors(load(path)) == LocalFactors()
