"""Connections that an admin adds to a gateway that runs, and what becomes of their people."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlencode

import pytest

from gatekit.demo.browser import StoryError
from gatekit.demo.gateway import free_port
from gatekit.demo.wire import Login, McpClient, fetch
from tests.support.companies import CLIENT, CompanyGateway, Employee
from tests.support.provider import Provider
from tests.support.running import eventually, started


def signed_in(gateway: CompanyGateway, person: Employee) -> McpClient:
    login = Login(gateway.endpoint("echo"))
    login.discover()
    login.register("journey")
    login.redeem(login.authorize(person))
    client = McpClient(login.url, str(login.token["access_token"]))
    client.initialize()
    return client


def comes_in(gateway: CompanyGateway) -> bool:
    try:
        return bool(signed_in(gateway, Employee("ada", "", connection="acme")))
    except StoryError:  # not yet
        return False


def test_added_disabled_enabled_and_removed_while_it_runs(tmp_path: Path) -> None:
    port = free_port(0)
    callback = f"http://127.0.0.1:{port}/callback/acme"
    provider = Provider(tmp_path / "provider", clients=[{**CLIENT, "redirect_uris": [callback]}])
    provider.start()
    gateway = CompanyGateway(tmp_path / "gateway", {"local": {}}, ["ada@example.com"], port)
    entry = {"type": "oidc", "issuer": provider.issuer, "client_id": CLIENT["client_id"]}
    (tmp_path / "secret").write_text(CLIENT["client_secret"], encoding="utf-8")
    written = tmp_path / "acme.yaml"
    written.write_text(json.dumps({**entry, "client_secret": "${file:secret}", "domains": ["example.com"]}))
    try:
        with started(gateway):
            gateway.gatekit("connections", "add", "acme", "--file", str(written))
            eventually(lambda: comes_in(gateway))
            client = signed_in(gateway, Employee("ada", "", connection="acme"))
            listed = json.loads(gateway.gatekit("connections", "list", "--json"))
            assert [(view["name"], view["kind"], view["from"]) for view in listed] == [
                ("local", "local", "file"),
                ("acme", "oidc", "store"),
            ]
            shown = gateway.gatekit("connections", "show", "acme")
            assert callback in shown
            assert CLIENT["client_secret"] not in shown
            assert json.loads(gateway.gatekit("connections", "test", "acme", "--json"))["ok"] is True
            # What was entered is nowhere in clear.
            assert CLIENT["client_secret"].encode() not in (gateway.data / "gatekit.db").read_bytes()

            gateway.gatekit("connections", "disable", "acme")
            eventually(lambda: client.attempt("tools/list", {})[0] == 401)
            with pytest.raises(StoryError):
                signed_in(gateway, Employee("ada", "", connection="acme"))
            gateway.gatekit("connections", "enable", "acme")
            eventually(lambda: comes_in(gateway))
            client = signed_in(gateway, Employee("ada", "", connection="acme"))
            gateway.gatekit("connections", "remove", "acme", "--yes")
            eventually(lambda: client.attempt("tools/list", {})[0] == 401)
            events = sorted(gateway.audit(), key=lambda event: event["at"])
            actions = [event["action"] for event in events if event["event"] == "admin"]
            assert [action for action in actions if action.startswith("connection.")] == [
                "connection.add",
                "connection.disable",
                "connection.enable",
                "connection.remove",
            ]
    finally:
        provider.stop()


def tried(gateway: CompanyGateway, name: str, connection: str, port: int) -> tuple[int, str, str]:
    """Exit code, output and messages of ``connections test --sign-in``, with somebody in the browser."""
    command = [sys.executable, "-m", "gatekit", "connections", "--config", str(gateway.config)]
    command += ["test", connection, "--sign-in", "--no-browser", "--port", str(port), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = ""
        while "Open this to sign in: " not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        back = f"http://127.0.0.1:{port}/callback/{connection}"
        person = Employee(name, "", connection=connection)
        answer = person.authorize(said.rpartition(": ")[2].strip(), back)
        # Whoever else on this machine knocks first has another state, and ends nothing.
        assert fetch(f"{back}?{urlencode({**answer, 'state': 'guessed'})}").status == 400
        assert fetch(f"{back}?{urlencode(answer)}").status == 200
        output, more = process.communicate(timeout=30)
        return process.returncode, output, said + more


def test_a_trial_signs_in_at_the_provider_and_keeps_nothing(tmp_path: Path) -> None:
    port = free_port(0)
    back = f"http://127.0.0.1:{port}/callback/acme"
    provider = Provider(tmp_path / "provider", clients=[{**CLIENT, "redirect_uris": [back]}])
    provider.start()
    entry = {"type": "oidc", "issuer": provider.issuer, **CLIENT, "domains": ["example.com"]}
    gateway = CompanyGateway(tmp_path / "gateway", {"acme": entry}, ["ada@example.com"])
    gateway.write()
    try:
        code, output, said = tried(gateway, "ada", "acme", port)
        assert back in said
        found = json.loads(output)
        assert code == 0
        assert (found["ok"], found["email"], found["email verified"]) == (True, "ada@example.com", True)
        assert json.loads(gateway.gatekit("users", "list", "--json")) == []
        entry["domains"] = ["elsewhere.example"]
        gateway.write()
        code, output, _ = tried(gateway, "ada", "acme", port)
        assert code == 1
        assert "no verified address" in json.loads(output)["refused"]
    finally:
        provider.stop()
