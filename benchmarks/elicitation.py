"""What the gateway adds to a call in whose middle the server asks the person something, in all four pairs of
client and server era, beside the same exchange with the same child over its pipes.

    python -m benchmarks.elicitation [--rounds 7] [--calls 200] [--other CHECKOUT]

Everything takes turns within one run; what counts is the difference of the medians. An exchange is two
requests of the client in either era: the call and the retry, or the call and the answer. Two calls without a
question stand beside it, because most of what is added is what any two requests cost.

``--other`` names a checkout of another commit. Both then run, and take turns with every exchange, the first
alternately: what counts is the median of the differences within one round, because the machine is not the
same from minute to minute. Few calls and many rounds are best for that (``--rounds 60 --calls 20``).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.processes import Process, free_port
from benchmarks.subjects import GATEKIT, HERE, PYTHON, machine
from benchmarks.wire import HANDSHAKE, INFO, META, STATELESS, Http, message

CHILD = HERE / "children" / "asking_light.py"
CALL: dict[str, Any] = {"name": "ask", "arguments": {}}
ANSWER = {"action": "accept", "content": {"name": "Ada"}}
CAN: dict[str, Any] = {"elicitation": {"form": {}}}
ERAS = ("handshake", "stateless")
TARGET_MS = 1.0

Exchange = Callable[[], None]


class Child:
    """The server, called over its pipes."""

    def __init__(self, era: str) -> None:
        self._process = subprocess.Popen(
            [PYTHON, CHILD, era], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        self.exchange: Exchange = self._handshake if era == "handshake" else self._stateless

    def _say(self, text: bytes) -> dict[str, Any]:
        os.write(self._in, text + b"\n")
        data = b""
        while not data.endswith(b"\n"):
            data += os.read(self._out, 1 << 18)
        said: dict[str, Any] = json.loads(data)
        return said

    def _handshake(self) -> None:
        asked = self._say(message("tools/call", CALL))
        done = self._say(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": ANSWER}).encode())
        check(done)

    def _stateless(self) -> None:
        params = {**CALL, "_meta": {**META, "io.modelcontextprotocol/clientCapabilities": CAN}}
        asked = self._say(message("tools/call", params))["result"]
        check(self._say(message("tools/call", {**params, **retry(asked)}, 2)))

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()


def retry(asked: dict[str, Any]) -> dict[str, Any]:
    answers = dict.fromkeys(asked["inputRequests"], ANSWER)
    return {"inputResponses": answers, "requestState": asked["requestState"]}


def check(done: dict[str, Any]) -> None:
    if done.get("result", {}).get("content", [{}])[0].get("text") != "hello, gate":
        raise RuntimeError(f"the call failed: {done}")


class Gateway:
    """``gatekit serve`` in front of one server of each era, with token check, policy and audit."""

    def __init__(self, scratch: Path, source: Path | None = None) -> None:
        """``source``: the checkout to run, if it is not this one."""
        self.port = free_port()
        scratch.mkdir(exist_ok=True)
        self._env = {"PYTHONPATH": str(source / "src")} if source else None
        self._config = scratch / "gatekit.yaml"
        auth = {"enabled": True, "provider": "local", "allowed_users": ["bench"]}
        servers = {
            era: {"command": [str(PYTHON), str(CHILD), era], "allowed_users": ["bench"]} for era in ERAS
        }
        proxy = {"host": "127.0.0.1", "port": self.port, "auth": auth}
        data = str(scratch / "data")
        self._config.write_text(json.dumps({"data_dir": data, "proxy": proxy, "servers": servers}))
        self._run("users", "add", "bench")
        made = self._run("keys", "create", "bench", "--name", "bench")
        token = next(word for word in made.split() if word.startswith("gk_key_"))
        self._headers = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "Authorization": f"Bearer {token}",
        }
        command: list[str | Path] = [GATEKIT, "serve", "--config", self._config]
        self.process = Process(command, scratch / "serve.log", self._env)
        self.process.until_open(self.port)

    def _run(self, *arguments: str) -> str:
        command = [str(GATEKIT), *arguments, "--config", str(self._config)]
        env = None if self._env is None else os.environ | self._env
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
        return done.stdout

    def subjects(self) -> dict[str, Callable[[], Exchange]]:
        """What is measured of it, by name; each is to be used at once, because it opens connections."""
        found: dict[str, Callable[[], Exchange]] = {}
        for server in ERAS:
            found[f"two calls without a question, {server} server"] = partial(self.plain, server)
            for client in ERAS:
                make = self.stateless if client == "stateless" else self.handshake
                found[f"{client} client, {server} server"] = partial(make, server)
        return found

    def plain(self, server: str) -> Exchange:
        """Two calls of a stateless client in which nobody is asked anything."""
        http, path = Http(self.port), f"/s/{server}/mcp"
        mirrored = {"Mcp-Method": "tools/call", "Mcp-Name": "plain"}
        headers = self._headers | {"MCP-Protocol-Version": STATELESS} | mirrored
        params = {"name": "plain", "arguments": {}, "_meta": META}
        request = http.request(path, headers, message("tools/call", params))

        def exchange() -> None:
            for _ in range(2):
                check(json.loads(http.send(request)[2]))

        return exchange

    def stateless(self, server: str) -> Exchange:
        """A stateless client's exchange: a call that needs input, and its retry."""
        http, path = Http(self.port), f"/s/{server}/mcp"
        headers = self._headers | {
            "MCP-Protocol-Version": STATELESS,
            "Mcp-Method": "tools/call",
            "Mcp-Name": "ask",
        }
        params = {**CALL, "_meta": {**META, "io.modelcontextprotocol/clientCapabilities": CAN}}
        first = http.request(path, headers, message("tools/call", params))
        again = Form(message("tools/call", {**params, **HELD}, 2), http.request(path, headers, b""))

        def exchange() -> None:
            asked = json.loads(http.send(first)[2])["result"]
            check(json.loads(http.send(again.filled(retry(asked)))[2]))

        return exchange

    def handshake(self, server: str) -> Exchange:
        """A handshake client's exchange: a call whose stream brings a question, and the answer to that."""
        stream, other, path = Http(self.port), Http(self.port), f"/s/{server}/mcp"
        opening = {"protocolVersion": HANDSHAKE, "capabilities": CAN, "clientInfo": INFO}
        _, got, _ = other.send(other.request(path, self._headers, message("initialize", opening)))
        headers = self._headers | {
            "Mcp-Session-Id": got["mcp-session-id"],
            "MCP-Protocol-Version": HANDSHAKE,
        }
        first = stream.request(path, headers, message("tools/call", CALL))
        answer = json.dumps({"jsonrpc": "2.0", **HELD, "result": ANSWER}).encode()
        reply = Form(answer, other.request(path, headers, b""))

        def exchange() -> None:
            data = stream.first_bytes(first)
            while b"elicitation/create" not in data or not data.endswith(b"\n\n\r\n"):
                data += stream.more()
            asked = event(data)
            other.send(reply.filled({"id": asked["id"]}))
            while not data.endswith(b"0\r\n\r\n"):
                data += stream.more()
            check(event(data))

        return exchange


HELD = {"held": "open"}


class Form:
    """A request of which one part changes: the rest is written once, before anything is measured."""

    def __init__(self, body: bytes, head: bytes) -> None:
        """``body`` with the member ``HELD`` in the place of what comes; ``head`` with an empty body."""
        place = json.dumps(HELD, separators=(",", ":")).encode()[1:-1]
        compact = json.dumps(json.loads(body), separators=(",", ":")).encode()
        self._before, _, self._after = compact.partition(place)
        self._head = head.replace(b"Content-Length: 0\r\n\r\n", b"Content-Length: %d\r\n\r\n")

    def filled(self, members: dict[str, Any]) -> bytes:
        body = self._before + json.dumps(members, separators=(",", ":")).encode()[1:-1] + self._after
        return self._head % len(body) + body


def event(data: bytes) -> dict[str, Any]:
    """The last event of what has come of a stream."""
    found: dict[str, Any] = json.loads(data.rpartition(b"data: ")[2].partition(b"\n")[0])
    return found


def median_ms(exchange: Exchange, calls: int) -> float:
    took = []
    for _ in range(calls):
        began = time.perf_counter_ns()
        exchange()
        took.append((time.perf_counter_ns() - began) / 1e6)
    return statistics.median(took)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.elicitation", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--other", type=Path, help="a checkout of the commit to compare with")
    options = parser.parse_args()
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gatekit-bench-")))
        gateway = Gateway(scratch / "one")
        stack.callback(gateway.process.stop)
        if options.other is not None:
            other = Gateway(scratch / "other", options.other.resolve())
            stack.callback(other.process.stop)
            print(machine())
            print(compared(gateway, other, options.rounds, options.calls))
            return 0
        subjects: dict[str, Exchange] = {}
        for server in ERAS:
            child = Child(server)
            stack.callback(child.stop)
            subjects[f"{server} server alone"] = child.exchange
        subjects |= {name: make() for name, make in gateway.subjects().items()}
        found: dict[str, list[float]] = {name: [] for name in subjects}
        cpu: dict[str, list[float]] = {name: [] for name in subjects}
        for number in range(options.rounds + 1):
            for name, exchange in subjects.items():
                before = gateway.process.cpu()
                took = median_ms(exchange, options.calls)
                if number:  # the first round warms everything up
                    found[name].append(took)
                    cpu[name].append((gateway.process.cpu() - before) / options.calls * 1000)
    print(machine())
    print(table({name: statistics.median(values) for name, values in found.items()}, cpu))
    return 0


Taken = list[tuple[float, float]]
"""(ms p50, ms of processor time) of one exchange, round by round."""


def compared(gateway: Gateway, other: Gateway, rounds: int, calls: int) -> str:
    """Both in turns, and the differences within the rounds."""
    rows = ["| one client | p50 ms | other | difference | CPU ms | other | difference |", "|---" * 7 + "|"]
    made, others = gateway.subjects(), other.subjects()
    for name in made:
        sides = ((gateway.process, made[name]()), (other.process, others[name]()))
        taken: tuple[Taken, Taken] = ([], [])
        for number in range(rounds + 1):
            for side in (0, 1) if number % 2 else (1, 0):
                process, exchange = sides[side]
                before = process.ran_ms()
                took = median_ms(exchange, calls)
                if number:
                    taken[side].append((took, (process.ran_ms() - before) / calls))
        row = f"| {name} |"
        for what in (0, 1):
            ours, theirs = ([each[what] for each in side] for side in taken)
            apart = statistics.median(one - two for one, two in zip(ours, theirs, strict=True))
            row += f" {statistics.median(ours):.2f} | {statistics.median(theirs):.2f} | {apart:+.3f} |"
        rows.append(row)
    return "\n".join(rows)


def table(p50: dict[str, float], cpu: dict[str, list[float]]) -> str:
    """The measured medians, and what stands in front of the bare child."""
    rows = ["| one client | p50 ms | added ms | gateway's CPU ms | |", "|---|---|---|---|---|"]
    for name, value in p50.items():
        row = f"| {name} | {value:.2f} |"
        if "," not in name:
            rows.append(f"{row} | | |")
            continue
        added = value - p50[f"{name.split()[-2]} server alone"]
        used = f"{statistics.median(cpu[name]):.2f}"
        verdict = "" if name.startswith("two") else "met" if added <= TARGET_MS else "missed"
        rows.append(f"{row} {added:.2f} | {used} | {verdict} |")
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())
