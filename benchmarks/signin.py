"""Many sign-ins at once, and a flood of registrations: ``python -m benchmarks.signin [--rounds N]``.

A real ``gatekit serve`` with passwords hashed as in production. First 64 people sign in at the same moment,
each from the authorization page over password and consent to tokens and one renewal: every answer is timed,
the gateway's memory is sampled. Then somebody who is signed in calls again and again, alone, while a stranger
tries to send 10,000 registrations within 10 seconds, over few connections, over many, and over a new one for
each, and alone again.
Ends with 1 if an answer was an error or a bound did not hold. Everything comes from one address, so that its
budgets are what is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

from benchmarks.processes import Process, free_port
from benchmarks.subjects import GATEKIT, LIGHT, Target, machine, stateless
from benchmarks.wire import Http
from gatekit.identity.passwords import PasswordHasher
from gatekit.model.people import LOCAL, User
from gatekit.store.sql.store import open_store

PEOPLE = 64
PASSWORD = "a password of the benchmark"
REDIRECT = "http://127.0.0.1:33418/callback"
VERIFIER = "benchmark" * 6
FLOOD, FLOOD_SECONDS = 10_000, 10.0
CONNECTIONS = (16, 1000, 10_000)
MB = 1024 * 1024
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

Times = dict[str, list[float]]


class Subject:
    """The gateway and its people, who share one hash, because making 64 takes a while."""

    def __init__(self, scratch: Path) -> None:
        self.port = free_port()
        self.data = scratch / "data"
        self.data.mkdir()
        self.url = f"http://127.0.0.1:{self.port}"
        people = [f"person{number}" for number in range(PEOPLE)]
        auth = {"enabled": True, "provider": "local", "allowed_users": people}
        light = {
            "command": [str(word) for word in LIGHT],
            "instances": "shared",
            "allowed_users": people,
        }
        config = scratch / "gatekit.yaml"
        proxy = {"host": "127.0.0.1", "port": self.port, "public_url": self.url, "auth": auth}
        config.write_text(
            json.dumps({"data_dir": str(self.data), "proxy": proxy, "servers": {"light": light}})
        )
        asyncio.run(self._populate(people))
        made = subprocess.run(
            [str(GATEKIT), "keys", "create", people[0], "--name", "bench", "--config", str(config)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        key = next(word for word in made.split() if word.startswith("gk_key_"))
        self.process = Process([GATEKIT, "serve", "--config", config], scratch / "serve.log")
        self.process.until_open(self.port)
        self.target: Target = stateless("light", self.process, self.port, "/s/light/mcp", key)
        self.target.check()

    async def _populate(self, people: list[str]) -> None:
        hasher, store = PasswordHasher(), await open_store(self.data / "gatekit.db")
        hashed = await hasher.hash(PASSWORD)
        for name in people:
            now = int(time.time())
            user = User(
                id=f"usr_{name}",
                connection=LOCAL,
                issuer=LOCAL,
                subject=name,
                username=name,
                created_at=now,
            )
            await store.users.add(user, hashed)
        hasher.close()
        await store.close()

    def kept(self) -> tuple[int, int]:
        """(bytes of the database, bytes of the trail)."""
        database = sum(path.stat().st_size for path in self.data.glob("gatekit.db*"))
        return database, sum(path.stat().st_size for path in (self.data / "audit").rglob("*"))


class Client:
    """One browser and one client program on one connection; times what it asks."""

    def __init__(self, subject: Subject, client_id: str, times: Times) -> None:
        self._subject = subject
        self._http = Http(subject.port, 120)
        self._client_id = client_id
        self._times = times
        self._cookies: dict[str, str] = {}

    def sign_in(self, username: str) -> None:
        """All the way to tokens and one renewal. Raises ``RuntimeError`` at the first answer that is none."""
        resource = f"{self._subject.url}/s/light/mcp"
        challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": REDIRECT,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "resource": resource,
        }
        _, page = self._ask("authorize", "GET", f"/authorize?{urlencode(query)}", 200)
        to, _ = self._ask(
            "password", "POST", "/login", 303, {**_hidden(page), "username": username, "password": PASSWORD}
        )
        _, page = self._ask("consent page", "GET", to, 200)
        to, _ = self._ask("consent", "POST", "/consent", 303, {**_hidden(page), "decision": "approve"})
        code = parse_qs(urlsplit(to).query)["code"][0]
        redeem = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT,
            "code_verifier": VERIFIER,
        }
        _, answer = self._ask("token", "POST", "/token", 200, {**redeem, "client_id": self._client_id})
        renew = {"grant_type": "refresh_token", "refresh_token": json.loads(answer)["refresh_token"]}
        self._ask("renewal", "POST", "/token", 200, {**renew, "client_id": self._client_id})
        self._http.close()

    def _ask(
        self, what: str, method: str, path: str, expected: int, form: dict[str, str] | None = None
    ) -> tuple[str, str]:
        headers = dict(FORM)
        if self._cookies and what not in ("token", "renewal"):
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        headers["Host"] = urlsplit(self._subject.url).netloc
        request = self._http.request(path, headers, urlencode(form or {}).encode(), method)
        request = request.replace(b"Host: 127.0.0.1\r\n", b"", 1)
        began = time.perf_counter()
        status, got, body = self._http.send(request)
        self._times[what].append(time.perf_counter() - began)
        if status != expected:
            raise RuntimeError(f"{what}: {status} instead of {expected}: {body[:300]!r}")
        self._keep(got.get("set-cookie"))
        return got.get("location"), body.decode()

    def _keep(self, cookie: str) -> None:
        name, _, value = cookie.partition(";")[0].partition("=")
        if name and "Max-Age=0" not in cookie:
            self._cookies[name] = value


def _hidden(page: str) -> dict[str, str]:
    fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page)
    return {name: unescape(value) for name, value in fields}


def register(subject: Subject) -> str:
    http = Http(subject.port)
    status, _, body = http.send(http.request("/register", {"Content-Type": "application/json"}, REGISTRATION))
    http.close()
    if status != 201:
        raise RuntimeError(f"registration: {status} {body[:300]!r}")
    return str(json.loads(body)["client_id"])


REGISTRATION = json.dumps(
    {"client_name": "flood", "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none"}
).encode()


@contextmanager
def calls(subject: Subject, into: list[float]) -> Iterator[None]:
    """One client that calls again and again, a little apart."""
    ended = threading.Event()

    def call() -> None:
        http = Http(subject.port)
        number = 0
        while not ended.is_set():
            number += 1
            began = time.perf_counter()
            status, _, body = http.send(subject.target.raw(http, number))
            into.append(time.perf_counter() - began)
            if status != 200 or b"hello, gate" not in body:
                raise RuntimeError(f"a call: {status} {body[:200]!r}")
            ended.wait(0.005)
        http.close()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(call)
        try:
            yield
        finally:
            ended.set()
            running.result()


@contextmanager
def memory(subject: Subject, into: list[int]) -> Iterator[None]:
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(0.02):
            into.append(subject.process.rss())

    with ThreadPoolExecutor(1) as pool:
        pool.submit(sample)
        try:
            yield
        finally:
            ended.set()


async def flood(port: int, connections: int) -> dict[str, int]:
    """10,000 registrations in 10 seconds over many connections; how each was answered. Runs in a process of
    its own, so that what it costs is not counted as somebody's waiting."""
    seen: Counter[str] = Counter()
    head = f"POST /register HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(REGISTRATION)}\r\n\r\n".encode() + REGISTRATION
    began = asyncio.get_running_loop().time()

    async def send(number: int) -> None:
        await asyncio.sleep(number * FLOOD_SECONDS / FLOOD)
        opened: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        for turn in range(FLOOD // connections):
            due = began + FLOOD_SECONDS * (turn * connections + number) / FLOOD
            now = asyncio.get_running_loop().time()
            if now > began + FLOOD_SECONDS:
                break
            await asyncio.sleep(max(0.0, due - now))
            reader, writer = opened = opened or await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(request)
                answer = await reader.readuntil(b"\r\n\r\n")
                length = int(answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                await reader.readexactly(length)
            except (ConnectionError, asyncio.IncompleteReadError):
                seen["closed"] += 1
                writer.close()
                opened = None
                continue
            seen[answer[9:12].decode()] += 1
            if b"connection: close" in answer:
                writer.close()
                opened = None
        if opened is not None:
            opened[1].close()

    await asyncio.gather(*(send(number) for number in range(connections)))
    return {**seen, "seconds": round(asyncio.get_running_loop().time() - began)}


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


def quietly(subject: Subject, seconds: float) -> list[float]:
    taken: list[float] = []
    with calls(subject, taken):
        time.sleep(seconds)
    return taken


def sign_ins(subject: Subject, client_id: str) -> tuple[Times, int, float]:
    """64 at once: times of each step, most memory, seconds in all."""
    times: Times = defaultdict(list)
    sizes = [subject.process.rss()]
    gate = threading.Barrier(PEOPLE)

    def one(number: int) -> None:
        client = Client(subject, client_id, times)
        gate.wait(60)
        client.sign_in(f"person{number}")

    with memory(subject, sizes):
        began = time.perf_counter()
        with ThreadPoolExecutor(PEOPLE) as pool:
            list(pool.map(one, range(PEOPLE)))
        took = time.perf_counter() - began
    return times, max(sizes), took


def say(line: str) -> None:
    print(line, flush=True)


def check(holds: bool, what: str) -> bool:
    say(f"{'✓' if holds else '✗'} {what}")
    return holds


def sign_in_rounds(subject: Subject, rounds: int) -> bool:
    before = subject.process.rss()
    client_id = register(subject)
    good = True
    for _ in range(rounds):
        times, most, took = sign_ins(subject, client_id)
        say(f"{PEOPLE} sign-ins at once in {took:.1f} s, no error")
        for what, taken in times.items():
            say(f"  {what:13} p50 {percentile(taken, 0.5):8.1f} ms   p95 {percentile(taken, 0.95):8.1f} ms")
        # Two hashes at a time (identity/passwords.py), 64 MiB each.
        grown = (most - before) / MB
        good &= check(
            grown < 2 * 64 + 48, f"memory grew by {grown:.0f} MB at most, from {before / MB:.0f} MB"
        )
    return good


def flood_round(subject: Subject, seconds: float, connections: int) -> bool:
    before, quiet = subject.kept(), quietly(subject, seconds)
    taken: list[float] = []
    flooding = [sys.executable, "-m", "benchmarks.signin", "--flood", str(subject.port), str(connections)]
    with calls(subject, taken):
        said = subprocess.run(flooding, capture_output=True, text=True, check=True).stdout
    after, again = subject.kept(), quietly(subject, seconds)
    answers = json.loads(said)
    expected = {"201", "429", "closed"} if connections > 1000 else {"201", "429"}
    p95 = [percentile(values, 0.95) for values in (quiet, taken, again)]
    p50 = [percentile(values, 0.5) for values in (quiet, taken, again)]
    took = answers.pop("seconds")
    say(f"flood of up to {FLOOD} registrations over {connections} connections in {took} s: {answers}")
    say("  calls p50 ms: quiet {:.2f}, flood {:.2f}, quiet again {:.2f}".format(*p50))
    say("  calls p95 ms: quiet {:.2f}, flood {:.2f}, quiet again {:.2f}".format(*p95))
    grown = [(now - then) / 1024 for now, then in zip(after, before, strict=True)]
    ratio = p95[1] / max(p95[0], p95[2])
    return all(
        [
            check(set(answers) <= expected, f"every registration was answered: {expected}"),
            check(ratio <= 2.0, f"p95 of calls is {ratio:.2f} times that of quiet"),
            check(sum(grown) < 4096, f"database grew by {grown[0]:.0f} KB, trail by {grown[1]:.0f} KB"),
        ]
    )


def measure(rounds: int, seconds: float) -> int:
    say(json.dumps(machine()))
    with tempfile.TemporaryDirectory(prefix="gatekit-bench-") as folder:
        subject = Subject(Path(folder))
        try:
            steps: list[Callable[[], bool]] = [lambda: sign_in_rounds(subject, rounds)]
            steps += [partial(flood_round, subject, seconds, many) for many in CONNECTIONS] * rounds
            return 0 if all([step() for step in steps]) else 1
        finally:
            subject.process.stop()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.signin", description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5.0, help="of quiet before and after a flood")
    parser.add_argument("--flood", type=int, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.flood:
        print(json.dumps(asyncio.run(flood(*options.flood))))
        return 0
    return measure(options.rounds, options.seconds)


if __name__ == "__main__":
    sys.exit(main())
