"""``/healthz`` and ``/readyz``."""

from __future__ import annotations

import asyncio
import logging

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from gatekit.errors import AuditUnavailable
from gatekit.web.health import Health, health_routes


async def fine() -> str:
    return ""


async def broken() -> str:
    return "no space left in /var/lib/gatekit/secret-folder"


async def raising() -> str:
    raise AuditUnavailable("disk is full at /var/lib/gatekit")


async def hanging() -> str:
    await asyncio.sleep(60)
    return ""


def test_alive_and_ready() -> None:
    client = TestClient(Starlette(routes=health_routes({"store": fine})))
    assert client.get("/healthz").json() == {"status": "alive"}
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
    assert ready.headers["cache-control"] == "no-store"
    assert client.get("/healthz").cookies == {}
    assert client.head("/readyz").status_code == 200


def test_not_ready_names_the_part_and_keeps_the_reason_for_the_log(caplog: pytest.LogCaptureFixture) -> None:
    checks = {"store": fine, "audit": broken, "keys": raising, "pool": hanging}
    client = TestClient(Starlette(routes=health_routes(checks, timeout=0.1)))
    with caplog.at_level(logging.WARNING):
        answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"status": "not ready", "failing": ["audit", "keys", "pool"]}
    assert "/var/lib" not in answer.text
    assert "no space left" in caplog.text
    assert "no answer within 0.1 s" in caplog.text
    assert client.get("/healthz").status_code == 200


async def test_probes_do_not_multiply_the_work() -> None:
    asked = 0

    async def counting() -> str:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.01)
        return ""

    health = Health({"store": counting})
    await asyncio.gather(*(health.failing() for _ in range(20)))
    assert asked == 1
