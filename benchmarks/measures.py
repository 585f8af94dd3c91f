"""The measurements. Each takes what it measures and returns plain numbers."""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.processes import Process
from benchmarks.subjects import HERE, Gatekit, Target, open_session
from benchmarks.wire import ARGUMENTS, Http, Pipes, message


def load(target: Target, connections: int, seconds: float, scratch: Path) -> dict[str, float]:
    """wrk with one thread; processor time per call is that of the server's own process."""
    headers, body = scratch / "headers.txt", scratch / "body.txt"
    headers.write_text("".join(f"{name}: {value}\n" for name, value in target.headers.items()))
    body.write_bytes(target.body.replace(b'"@ID@"', b"@ID@"))
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{max(1, round(seconds))}s",
        "--timeout",
        "30s",
        "-s",
        str(HERE / "wrk.lua"),
    ]
    command += [f"http://127.0.0.1:{target.port}{target.path}", "--", str(headers), str(body)]
    before = target.process.cpu()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    used = target.process.cpu() - before
    found = [line[5:] for line in done.stdout.splitlines() if line.startswith("JSON ")]
    if not found:
        raise RuntimeError(f"wrk: {done.stdout}{done.stderr}")
    result: dict[str, float] = json.loads(found[0])
    calls = result["calls"] or 1
    return {
        "calls_per_second": result["calls"] / result["seconds"],
        "p50_ms": result["p50_ms"],
        "p99_ms": result["p99_ms"],
        "cpu_us_per_call": used / calls * 1e6,
        "errors": result["bad_status"] + result["broken"] + result["timeout"],
    }


def one_client(call: Callable[[], object], count: int) -> list[float]:
    """Milliseconds of ``count`` calls, one after another."""
    took = []
    for _ in range(count):
        began = time.perf_counter_ns()
        call()
        took.append((time.perf_counter_ns() - began) / 1e6)
    return took


def caller(target: Target) -> Callable[[], object]:
    """One call over a connection that stays open."""
    http = Http(target.port)
    request = target.raw(http)

    def call() -> None:
        status, _, _ = http.send(request)
        if status != 200:
            raise RuntimeError(f"{target.name}: {status}")

    return call


def piped(pipes: Pipes) -> Callable[[], object]:
    request = message("tools/call", ARGUMENTS)
    return lambda: pipes.call(request)


def latency(callers: dict[str, Callable[[], object]], rounds: int, count: int) -> dict[str, dict[str, float]]:
    """Median over the rounds of each round's p50 and p95; the subjects take turns within a round."""
    p50: dict[str, list[float]] = {name: [] for name in callers}
    p95: dict[str, list[float]] = {name: [] for name in callers}
    for call in callers.values():
        one_client(call, 50)
    for _ in range(rounds):
        for name, call in callers.items():
            took = sorted(one_client(call, count))
            p50[name].append(took[count // 2])
            p95[name].append(took[count * 95 // 100])
    return {
        name: {"p50_ms": statistics.median(p50[name]), "p95_ms": statistics.median(p95[name])}
        for name in callers
    }


def memory(gatekit: Gatekit, sessions: int) -> dict[str, float]:
    """Resident bytes per idle session, then per idle event stream on top.

    In a process of its own with one shared child: after a load, what the allocator kept would hide them.
    """
    path, keys = "/s/light/mcp", gatekit.keys
    process = gatekit.start()
    try:
        process.until_open(gatekit.port)
        for key in keys:
            open_session(gatekit.port, path, key)  # caches and code paths, once for everybody
        start = process.rss()
        opened = [open_session(gatekit.port, path, keys[n % len(keys)]) for n in range(sessions)]
        time.sleep(1)
        with_sessions = process.rss()
        streams = [_stream(gatekit.port, path, headers) for headers in opened]
        time.sleep(1)
        with_streams = process.rss()
        for http in streams:
            http.close()
    finally:
        process.stop()
    return {
        "sessions": sessions,
        "bytes_per_idle_session": (with_sessions - start) / sessions,
        "bytes_per_idle_stream": (with_streams - with_sessions) / sessions,
    }


def _stream(port: int, path: str, headers: dict[str, str]) -> Http:
    http = Http(port)
    accept = {name: value for name, value in headers.items() if name != "Content-Type"}
    first = http.first_bytes(http.request(path, accept | {"Accept": "text/event-stream"}, b"", "GET"))
    if b" 200 " not in first.split(b"\r\n")[0]:
        raise RuntimeError(f"stream: {first[:300]!r}")
    return http


def start_up(gatekit: Gatekit, rounds: int) -> dict[str, float]:
    """Of a gateway started while nothing else of ours runs: until it answers, and what it holds."""
    ready: list[float] = []
    called: list[float] = []
    idle: list[float] = []
    for _ in range(rounds):
        process = gatekit.start()
        try:
            process.until_open(gatekit.port)
            http = Http(gatekit.port)
            status, _, body = http.send(http.request("/readyz", {}, b"", "GET"))
            ready.append(time.perf_counter() - process.began)
            if status != 200:
                raise RuntimeError(f"/readyz: {status} {body[:300]!r}")
            _first_call(gatekit, process, called)
            time.sleep(0.5)
            idle.append(process.rss())
        finally:
            process.stop()
    return {
        "first_answer_s": statistics.median(ready),
        "first_call_s": statistics.median(called),
        "idle_rss_bytes": statistics.median(idle),
    }


def _first_call(gatekit: Gatekit, process: Process, called: list[float]) -> None:
    headers = open_session(gatekit.port, "/s/light/mcp", gatekit.keys[0])
    http = Http(gatekit.port)
    http.send(http.request("/s/light/mcp", headers, message("tools/call", ARGUMENTS)))
    called.append(time.perf_counter() - process.began)


def medians(samples: list[dict[str, float]]) -> dict[str, float]:
    return {
        name: sum(sample[name] for sample in samples)
        if name == "errors"
        else statistics.median(sample[name] for sample in samples)
        for name in samples[0]
    }
