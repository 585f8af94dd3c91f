"""Copies of one client that share a token, over HTTP, while the gateway is killed and comes back."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException

import pytest

from gatekit.demo.browser import StoryError
from gatekit.demo.wire import Answer, Login, McpClient, fetch
from tests.support.running import ECHO, RunningGateway, eventually, started

COPIES = 8
PATIENCE = 30.0


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    servers = {"echo": {"command": list(ECHO), "users": ["developers"]}}
    running = RunningGateway(tmp_path_factory.mktemp("refresh"), servers)
    with started(running):
        yield running


@pytest.fixture(scope="module")
def login(gateway: RunningGateway) -> Login:
    found = Login(gateway.endpoint("echo"))
    found.discover()
    found.register("one of many windows")
    found.redeem(found.authorize(gateway.person("alice")))
    return found


def refresh(login: Login, token: str) -> Answer:
    body = {"grant_type": "refresh_token", "refresh_token": token, "client_id": login.client_id}
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return fetch(login.server["token_endpoint"], urllib.parse.urlencode(body).encode(), kind)


def until_let_in(login: Login, token: str) -> dict[str, str]:
    """As a client that waits while nobody answers."""
    answers: list[Answer] = []

    def answered() -> bool:
        try:
            answers.append(refresh(login, token))
        except (StoryError, HTTPException):  # killed before its answer, or in the middle of it
            return False
        return True

    eventually(answered, PATIENCE, "nobody answered")
    assert answers[0].status == 200, answers[0].body
    found: dict[str, str] = answers[0].json()
    return found


def test_R3_copies_refresh_at_once_and_all_stay_in(gateway: RunningGateway, login: Login) -> None:
    """R3: Every copy gets a token that works, and there is one live chain."""
    with ThreadPoolExecutor(COPIES) as pool:
        answers = list(pool.map(lambda _: refresh(login, login.token["refresh_token"]), range(COPIES)))
    assert [answer.status for answer in answers] == [200] * COPIES
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    for answer in answers:
        McpClient(gateway.endpoint("echo"), answer.json()["access_token"]).initialize()
    login.token = answers[0].json()


def test_R7_a_gateway_that_is_killed_in_the_middle_locks_nobody_out(
    gateway: RunningGateway, login: Login
) -> None:
    """R7, R1: SIGKILL among the refreshes; the copies ask again with what they have, and all stay in."""
    for _ in range(3):
        with ThreadPoolExecutor(COPIES) as pool:
            waiting = [pool.submit(until_let_in, login, login.token["refresh_token"]) for _ in range(COPIES)]
            gateway.kill()
            gateway.start()
            kept = [each.result() for each in waiting]
        chains = {each["refresh_token"] for each in kept}
        assert len(chains) == 1
        McpClient(gateway.endpoint("echo"), kept[-1]["access_token"]).initialize()
        login.token = dict(kept[0])
    assert refresh(login, login.token["refresh_token"]).status == 200
    assert not [event for event in gateway.audit("--event", "token") if event["action"] == "reused"]
