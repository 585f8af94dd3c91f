"""Where plugins come from, and that whatever is wrong with one is said with file and line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from gatekit.config.load import load
from gatekit.config.show import describe
from gatekit.errors import ConfigError, PluginError
from gatekit.model.plugins import PluginPlan, PluginSpec
from gatekit.plugins import loader
from gatekit.plugins.house import House
from gatekit.plugins.remote import verdict_of

ROOT = Path(__file__).parents[3]
GOOD = """
from gatekit.plugin import Options, Pass, Plugin

class Mine(Plugin):
    class Settings(Options, frozen=True):
        limit: int = 3
        words: tuple[str, ...] = ()
    def on_request(self, subject, asked):
        return Pass()
    async def close(self):
        self.closed = True
"""


def folder(tmp_path: Path, **files: str) -> Path:
    found = tmp_path / "plugins"
    found.mkdir(exist_ok=True)
    for name, text in files.items():
        (found / f"{name}.py").write_text(text)
    return found


def file(tmp_path: Path, plugins: str, **files: str) -> Path:
    folder(tmp_path, **files)
    path = tmp_path / "gatekit.yaml"
    path.write_text(
        "plugins_dir: plugins\n"
        f"plugins: {plugins}\n"
        "servers:\n"
        "  files: {command: python -m x, allowed_users: [alice]}\n"
    )
    return path


def faults(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    return "\n".join(caught.value.faults)


def test_a_file_in_the_folder(tmp_path: Path) -> None:
    config = load(file(tmp_path, "[{use: mine, limit: 5, priority: 7}]", mine=GOOD), {})
    (spec,) = config.plugins.entries
    entry = loader.make(spec, config.plugins.folder)
    assert (entry.name, entry.priority, entry.on_error, entry.ours) == ("mine", 7, "closed", False)
    assert entry.plugin.options.limit == 5


def test_the_short_form(tmp_path: Path) -> None:
    assert load(file(tmp_path, "[mine]", mine=GOOD), {}).plugins.entries[0].use == "mine"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "import nothing_of_that_name",
            "mine.py:1: ModuleNotFoundError: No module named 'nothing_of_that_name'",
        ),
        ("x = 1\ny = (", "mine.py:2: '(' was never closed"),
        ("x = 1\n\n1 / 0", "mine.py:3: ZeroDivisionError: division by zero"),
        ("x = 1", "must hold exactly one subclass of gatekit.plugin.Plugin, not 0"),
        (
            GOOD + GOOD.replace("Mine", "Other"),
            "must hold exactly one subclass",
        ),
        (GOOD.replace("(Options, frozen=True)", ""), "Settings must be a subclass of gatekit.plugin.Options"),
        (GOOD + "    def __init__(self, o, n):\n        raise RuntimeError('no')\n", "RuntimeError: no"),
    ],
)
def test_load_errors_are_loud(tmp_path: Path, text: str, expected: str) -> None:
    """Part B, §3.2: an import error was logged at DEBUG, and the user saw "plugin not found"."""
    said = faults(file(tmp_path, "[mine]", mine=text))
    assert said.startswith("gatekit.yaml:2: plugins[0]: ") or said.startswith("gatekit.yaml:2: plugins.0: ")
    assert expected in said


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("{use: mine, limt: 5}", "unknown option `limt`"),
        ("{use: mine, limit: five}", "limit: expected `int`, got `str`"),
        ("{use: mine, limit: 5, on_error: sometimes}", "on_error: expected open or closed"),
        ("{use: other}", "there is no plugin 'other'"),
        ("{use: mine}, {use: mine}", "there is an entry 'mine' already"),
        ("{name: mine}", "use: is required"),
        ("7", "expected a plugin's name"),
        ("{use: ../mine}", "cannot be a plugin's name"),
        ("{use: mine, name: 'a b'}", "cannot be a plugin's name"),
    ],
)
def test_entries_that_do_not_fit(tmp_path: Path, entry: str, expected: str) -> None:
    assert expected in faults(file(tmp_path, f"[{entry}]", mine=GOOD))


def test_values_of_references_are_not_repeated(tmp_path: Path) -> None:
    path = file(tmp_path, '[{use: mine, limit: "${env:TOKEN}"}]', mine=GOOD)
    with pytest.raises(ConfigError) as caught:
        load(path, {"TOKEN": "hunter2"})
    assert "its options do not fit" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_file_that_everybody_may_change_is_refused(tmp_path: Path) -> None:
    path = file(tmp_path, "[mine]", mine=GOOD)
    os.chmod(tmp_path / "plugins" / "mine.py", 0o666)
    assert "everybody on this machine can change this file" in faults(path)


def test_a_tenant_brings_no_code(tmp_path: Path) -> None:
    """The file is refused before any of the code is run."""
    from gatekit.config.load import try_load

    ran = tmp_path / "ran"
    path = file(tmp_path, "[mine]", mine=f"open({str(ran)!r}, 'w')\n" + GOOD)
    attempt = try_load(path, {}, tmp_path)
    assert "a tenant brings no code into the gateway" in str(attempt.outcome)
    assert not ran.exists()


def test_entries_of_a_server_override_really(tmp_path: Path) -> None:
    """Part B, fault 13: ``enabled: false`` at a server did not override what stood for all of them."""
    folder(tmp_path, mine=GOOD)
    path = tmp_path / "gatekit.yaml"
    path.write_text(
        "plugins_dir: plugins\n"
        "plugins: [{use: mine, limit: 1}, {use: mine, name: second}]\n"
        "servers:\n"
        "  off: {command: x, allowed_users: [alice], plugins: [{use: mine, enabled: false}]}\n"
        "  other: {command: x, allowed_users: [alice], plugins: [{use: mine, words: [a]}]}\n"
        "  plain: {command: x, allowed_users: [alice]}\n"
    )
    plan = load(path, {}).plugins
    shown = {
        server: {spec.name: spec.options for spec in plan.of(server)} for server in ("off", "other", "plain")
    }
    assert shown == {
        "off": {"second": {}},
        "other": {"mine": {"words": ["a"]}, "second": {}},
        "plain": {"mine": {"limit": 1}, "second": {}},
    }


def plan(place: Path, *entries: Any) -> PluginPlan:
    specs = tuple(
        PluginSpec(name=name, use="mine", options=options, code=loader.digest("mine", str(place)))
        for name, options in entries
    )
    return PluginPlan(entries=specs, folder=str(place))


async def test_a_changed_file_changes_only_what_it_changes(tmp_path: Path) -> None:
    place = folder(tmp_path, mine=GOOD)
    house: Any = House(None)  # type: ignore[arg-type]
    first = house.chains(plan(place, ("a", {}), ("b", {})), ["s"])
    again = house.chains(plan(place, ("a", {}), ("b", {})), ["s"])
    assert again is first
    second = house.chains(plan(place, ("a", {}), ("b", {"limit": 4})), ["s"])
    a, b = (entry.plugin for entry in first.at("s").entries)
    assert second.at("s").entries[0].plugin is a
    assert second.at("s").entries[1].plugin is not b
    with pytest.raises(PluginError):
        house.chains(plan(place, ("a", {"limit": "x"})), ["s"])
    assert house.chains(plan(place, ("a", {}), ("b", {"limit": 4})), ["s"]) is second
    (place / "mine.py").write_text(GOOD + "\nVERSION = 2\n")
    third = house.chains(plan(place, ("a", {}), ("b", {"limit": 4})), ["s"])
    assert third.at("s").entries[0].plugin is not a
    assert house.chains(PluginPlan(), ["s"]) is None
    await house.close()
    assert a.closed
    assert b.closed


async def test_what_is_used_is_closed_when_the_last_call_has_ended(tmp_path: Path) -> None:
    import asyncio

    place = folder(tmp_path, mine=GOOD)
    house: Any = House(None)  # type: ignore[arg-type]
    chain = house.chains(plan(place, ("a", {})), ["s"]).at("s")
    plugin = chain.entries[0].plugin
    chain.using += 1
    house.chains(PluginPlan(), ["s"])
    await asyncio.sleep(0.05)
    assert not hasattr(plugin, "closed")
    chain.using -= 1
    async with asyncio.timeout(5):
        while not hasattr(plugin, "closed"):
            await asyncio.sleep(0.05)
    await house.close()


def test_names_that_are_built_in_are_nobody_elses(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setitem(loader.BUILTIN, "mine", "gatekit.plugins.builtin.mine:Mine")
    with pytest.raises(PluginError, match="is built in"):
        loader.find("mine", str(folder(tmp_path, mine=GOOD)))


def test_the_example_of_the_page_loads(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "plugins.md").read_text()
    config = text.split("```yaml\n# gatekit.yaml\n", 1)[1].split("```", 1)[0]
    code = text.split("```python\n", 1)[1].split("```", 1)[0]
    folder(tmp_path, no_drop=code)
    (tmp_path / "gatekit.yaml").write_text(config)
    loaded = load(tmp_path / "gatekit.yaml", {})
    assert [entry.name for entry in loaded.plugins.of("other")] == ["no_drop"]
    assert not loaded.plugins.of("files")


def test_the_example_of_what_is_built_in_loads(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "plugins.md").read_text()
    config = text.split("```yaml\n# built-in.yaml\n", 1)[1].split("```", 1)[0]
    (tmp_path / "gatekit.yaml").write_text(config)
    loaded = load(tmp_path / "gatekit.yaml", {})
    names = [entry.name for entry in loaded.plugins.of("files")]
    assert names == ["schema", "size", "usage", "paths", "tools"]


def test_the_page_lists_what_is_built_in_with_its_options() -> None:
    text = (ROOT / "docs" / "plugins.md").read_text()
    for use in loader.BUILTIN:
        row = next((line for line in text.splitlines() if line.startswith(f"| `{use}` |")), "")
        found, _ = loader.find(use, "")
        for option in found.Settings.__struct_fields__:
            assert f"`{option}`" in row, f"{use}: {option}"


def test_the_example_of_what_runs_elsewhere_loads(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "plugins.md").read_text()
    config = text.split("```yaml\n# elsewhere.yaml\n", 1)[1].split("```", 1)[0]
    (tmp_path / "gatekit.yaml").write_text(config)
    loaded = load(tmp_path / "gatekit.yaml", {"DLP_SECRET": "0123456789abcdef"})
    assert [entry.name for entry in loaded.plugins.of("any")] == ["dlp", "classifier"]
    assert "0123456789abcdef" not in repr(describe(loaded))


def test_verdicts_of_the_page_are_verdicts() -> None:
    text = (ROOT / "docs" / "plugins.md").read_text()
    for line in text.split("```json\n", 1)[1].split("```", 1)[0].splitlines():
        verdict_of(line.encode())


async def test_the_test_of_the_page_passes(tmp_path: Path, monkeypatch: Any) -> None:
    text = (ROOT / "docs" / "plugins.md").read_text()
    (tmp_path / "no_drop.py").write_text(text.split("```python\n", 1)[1].split("```", 1)[0])
    monkeypatch.syspath_prepend(str(tmp_path))
    scope: dict[str, Any] = {}
    exec(text.split("```python\n# test_no_drop.py\n", 1)[1].split("```", 1)[0], scope)
    await scope["test_drop"]()
