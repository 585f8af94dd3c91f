"""Plugins as outsiders write them, under a real ``gatekit stdio`` and the official client: a package of its
own with an entry point, one in a folder, one over a webhook. And what ``gatekit plugin`` says of them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gatekit.cli import cli
from gatekit.config.load import load
from tests.support.stdio import connected, environment

ROOT = Path(__file__).parents[2]
OUTSIDER = Path(__file__).parent / "outsider"
ECHO = [sys.executable, "-I", "-S", str(ROOT / "tests" / "children" / "echo.py")]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The package as an installer leaves it: its code, and metadata beside it."""
    place = tmp_path / "site"
    metadata = place / "acme_words-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-words\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[gatekit.plugins]\nacme_words = acme_words:AcmeWords\n")
    package = place / "acme_words"
    package.mkdir()
    (package / "__init__.py").write_text((OUTSIDER / "acme_words.py").read_text())
    return place


def house(folder: Path, plugins: Any, **more: Any) -> Path:
    path = folder / "gatekit.yaml"
    document = {
        "data_dir": "data",
        "proxy": {"auth": {"enabled": False}},
        "servers": {"echo": {"command": ECHO}},
        "plugins": plugins,
        **more,
    }
    path.write_text(json.dumps(document))
    return path


def verdicts(folder: Path) -> list[Any]:
    lines = [
        json.loads(line)
        for path in sorted((folder / "data" / "audit").glob("*.jsonl"))
        for line in path.read_text().splitlines()
    ]
    return [
        line.get("verdicts") for line in lines if line["event"] == "call" and line["method"] == "tools/call"
    ]


async def test_a_package_with_an_entry_point(tmp_path: Path, site: Path) -> None:
    path = house(tmp_path, [{"use": "acme_words", "words": {"apples": "pears"}, "forbidden": ["plums"]}])
    env = {"PYTHONPATH": str(site)}
    async with connected("stdio", "--config", str(path), "--server", "echo", env=env) as client:
        said: Any = await client.call_tool("echo", {"text": "apples and nuts"})
        assert said.content[0].text == "pears and nuts [seen by acme for echo]"
        with pytest.raises(Exception, match="no plums here"):
            await client.call_tool("echo", {"text": "plums"})
        listed: Any = await client.list_tools()
        assert listed.tools[0].description == "Gives the text back. (watched)"
    assert verdicts(tmp_path) == [["acme_words:words:1", "acme_words:seen"], ["acme_words:block"]]


def test_what_is_installed_is_listed_and_checked(tmp_path: Path, site: Path) -> None:
    path = house(tmp_path, ["acme_words", {"use": "size", "max_result": 1000}])
    command = [sys.executable, "-m", "gatekit", "plugin"]
    env = {**environment(), "PYTHONPATH": str(site)}
    listed = subprocess.run(
        [*command, "list", "--config", path, "--json"], env=env, capture_output=True, check=True
    )
    found = {row["use"]: row["from"] for row in json.loads(listed.stdout)}
    assert found["acme_words"] == "installed: acme_words:AcmeWords"
    assert found["size"] == "built in"
    checked = subprocess.run(
        [*command, "check", "--config", path, "--json"], env=env, capture_output=True, check=True
    )
    rows = json.loads(checked.stdout)
    assert [(row["name"], row["order"], row["hooks"]) for row in rows] == [
        ("acme_words", 1, ["list", "request", "response"]),
        ("size", 2, ["response"]),
    ]
    without = {**env, "PYTHONPATH": ""}
    refused = subprocess.run(
        [*command, "check", "--config", path], env=without, capture_output=True, check=False
    )
    assert refused.returncode == 2
    assert b"there is no plugin 'acme_words'" in refused.stderr


async def test_a_webhook_in_front_of_a_real_client(tmp_path: Path) -> None:
    told: list[Any] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        size = int(came.split("content-length: ")[1].split("\r\n")[0])
        message = json.loads(await reader.readexactly(size))
        told.append(message)
        verdict: Any = {"verdict": "pass"}
        if message["hook"] == "response" and message["answered"]["method"] == "tools/call":
            content = [{"type": "text", "text": "[from the webhook]"}]
            verdict = {"verdict": "replace", "content": {"content": content}, "note": "rewritten"}
        body = json.dumps(verdict).encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
    secret = "${env:HOOK_SECRET}"
    path = house(tmp_path, [{"use": "webhook", "url": url, "secret": secret}])
    env = {"HOOK_SECRET": "0123456789abcdef"}
    async with connected("stdio", "--config", str(path), "--server", "echo", env=env) as client:
        said: Any = await client.call_tool("echo", {"text": "hello"})
        assert said.content[0].text == "[from the webhook]"
    listening.close()
    asked = [message for message in told if message["asked"]["method"] == "tools/call"]
    assert asked[0]["asked"]["arguments"] == {"text": "hello"}
    assert asked[0]["subject"]["server"] == "echo"
    assert verdicts(tmp_path) == [["webhook:rewritten"]]


def test_a_new_plugin_loads_and_its_test_passes(tmp_path: Path) -> None:
    made = CliRunner().invoke(cli, ["plugin", "new", "no_words", "--folder", str(tmp_path)])
    assert made.exit_code == 0, made.output
    package = tmp_path / "no_words"
    assert {str(p.relative_to(package)) for p in package.rglob("*") if p.is_file()} == {
        "pyproject.toml",
        "README.md",
        "src/no_words/__init__.py",
        "tests/test_no_words.py",
    }
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=package,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "2 passed" in ran.stdout
    again = CliRunner().invoke(cli, ["plugin", "new", "no_words", "--folder", str(tmp_path)])
    assert again.exit_code == 1
    (tmp_path / "plugins").mkdir()
    os.link(package / "src" / "no_words" / "__init__.py", tmp_path / "plugins" / "no_words.py")
    path = house(tmp_path, [{"use": "no_words", "words": ["x"]}], plugins_dir="plugins")
    assert load(path, {}).plugins.entries[0].use == "no_words"


@pytest.mark.parametrize("name", ["No", "1a", "a-b", "../x", "class", "size", "", "a" * 50])
def test_names_that_cannot_be(tmp_path: Path, name: str) -> None:
    made = CliRunner().invoke(cli, ["plugin", "new", name, "--folder", str(tmp_path)])
    assert made.exit_code != 0
    assert not list(tmp_path.iterdir())
