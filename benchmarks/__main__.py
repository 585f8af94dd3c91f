"""Runs everything in turn, prints ratios against the targets, writes JSON. See ``docs/performance.md``."""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import measures, report
from benchmarks.subjects import (
    CACHE,
    LIGHT,
    ROOT,
    SDK,
    FastMcp,
    Floor,
    Gatekit,
    McpProxy,
    Target,
    machine,
    patiently,
)
from benchmarks.wire import Pipes


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter and fewer rounds: a look, not a figure")
    parser.add_argument("--without-peers", action="store_true", help="leave mcp-proxy and FastMCP out")
    parser.add_argument("--only", help="measure only targets whose name contains this (for profiling)")
    parser.add_argument("--seconds", type=float, help="length of one load run")
    parser.add_argument("--rounds", type=int, help="how many rounds of everything")
    return parser.parse_args()


def say(text: str) -> None:
    print(f"· {text}", file=sys.stderr, flush=True)


def main() -> int:
    options = arguments()
    if shutil.which("wrk") is None:
        print("✗ wrk is missing; as root: apt-get install wrk", file=sys.stderr)
        return 1
    rounds = options.rounds or (2 if options.quick else 5)
    seconds = options.seconds or (2.0 if options.quick else 4.0)
    results: dict[str, Any] = {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "machine": machine()}
    results["command"] = " ".join(["scripts/bench", *sys.argv[1:]])
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gatekit-bench-")))
        say("starting the subjects")
        gatekit = Gatekit(scratch)
        stack.callback(gatekit.process.stop)
        targets = start_others(stack, scratch, gatekit, options)
        pipes = {"light": Pipes(LIGHT), "sdk": Pipes(SDK)}
        for one in pipes.values():
            stack.callback(one.stop)
        results["latency"] = run_latency(targets, pipes, rounds, options.quick)
        results["load"] = run_load(targets, pipes, rounds, seconds, scratch)
    with tempfile.TemporaryDirectory(prefix="gatekit-bench-") as folder:
        say("start-up")
        fresh = Gatekit(Path(folder))
        fresh.process.stop()
        results["start_up"] = measures.start_up(fresh, 3 if options.quick else 9)
        say("memory of idle sessions and streams")
        results["memory"] = measures.memory(fresh, 300 if options.quick else 1000)
    results["verdicts"] = report.verdicts(results)
    print(report.text(results))
    folder_of_results = ROOT / "benchmarks" / "results"
    folder_of_results.mkdir(exist_ok=True)
    file = folder_of_results / f"{results['at'].replace(':', '')}.json"
    file.write_text(json.dumps(results, indent=1))
    say(f"written to {file.relative_to(ROOT)}")
    return 0


def start_others(
    stack: ExitStack, scratch: Path, gatekit: Gatekit, options: argparse.Namespace
) -> list[Target]:
    others: list[Floor | Gatekit | McpProxy | FastMcp] = [Floor(scratch)]
    if not options.without_peers:
        if not (CACHE / "fastmcp").exists():
            raise SystemExit("✗ the peers are not installed: run scripts/bench, or pass --without-peers")
        others += [McpProxy(scratch), FastMcp(scratch)]
    for other in others:
        stack.callback(other.process.stop)
    targets = [target for subject in (*others, gatekit) for target in patiently(subject.targets)]
    return [target for target in targets if not options.only or options.only in target.name]


def run_latency(
    targets: list[Target], pipes: dict[str, Pipes], rounds: int, quick: bool
) -> dict[str, dict[str, float]]:
    say("one client: the children alone, then through each gateway")
    callers = {f"child {name}": measures.piped(one) for name, one in pipes.items()}
    callers |= {target.name: measures.caller(target) for target in targets}
    return measures.latency(callers, rounds * 2, 100 if quick else 300)


def run_load(
    targets: list[Target], pipes: dict[str, Pipes], rounds: int, seconds: float, scratch: Path
) -> dict[str, dict[str, dict[str, float]]]:
    found: dict[str, dict[str, dict[str, float]]] = {}
    for connections in (16, 64, 256):
        samples: dict[str, list[dict[str, float]]] = {}
        for number in range(rounds):
            say(f"{connections} clients, round {number + 1} of {rounds}")
            for name, one in pipes.items():
                rate = one.throughput(connections, seconds / 2)
                samples.setdefault(f"child {name}", []).append({"calls_per_second": rate, "errors": 0})
            for target in targets:
                sample = measures.load(target, connections, seconds, scratch)
                samples.setdefault(target.name, []).append(sample)
        for name, values in samples.items():
            found.setdefault(name, {})[str(connections)] = measures.medians(values)
            spread = [value["calls_per_second"] for value in values]
            low, high = min(spread), max(spread)
            found[name][str(connections)]["spread"] = (high - low) / (statistics.median(spread) or 1)
    return found


if __name__ == "__main__":
    sys.exit(main())
