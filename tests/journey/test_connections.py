"""Connections that an admin adds to a gateway that runs, and what becomes of their people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gatekit.demo.browser import StoryError
from gatekit.demo.gateway import free_port
from gatekit.demo.wire import Login, McpClient
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
