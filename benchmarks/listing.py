"""``tools/list`` of 200 tools, with and without some that the caller may not see, at a server's own endpoint,
at ``/mcp`` and at a virtual server.

    python -m benchmarks.listing [--other CHECKOUT] [--rounds 5] [--calls 150]

``--other`` names a checkout of another commit; both are measured in turns, and the ratio of the medians of
CPU time per call is what counts, since the machine may be busy with other things.
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
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.processes import Process, free_port
from benchmarks.subjects import HERE, PYTHON, ROOT, _headers, open_session
from benchmarks.wire import HANDSHAKE, META, STATELESS, Http, message

CHILD = [str(PYTHON), "-S", "-E", str(HERE / "children" / "list_light.py")]


class Gateway:
    """One commit's gateway, and what to ask it."""

    def __init__(self, checkout: Path, scratch: Path, virtual: bool) -> None:
        self.name = checkout.name
        self._home = scratch / f"{checkout.name}-{free_port()}"
        self._home.mkdir()
        self._environ = {**os.environ, "PYTHONPATH": str(checkout / "src"), "PYTHONSAFEPATH": "1"}
        self.port = free_port()
        self._config = self._home / "gatekit.yaml"
        server: dict[str, Any] = {"command": CHILD, "instances": "shared", "allowed_users": ["bench"]}
        config: dict[str, Any] = {
            "data_dir": str(self._home / "data"),
            "proxy": {"host": "127.0.0.1", "port": self.port},
            "servers": {"open": server, "some": {**server, "tools": {"hidden_*": []}}},
        }
        if virtual:
            names = [f"hidden_{n}" if n % 10 == 0 else f"tool_{n}" for n in range(200)]
            shown = {name: {"server": "some"} for name in names}
            config["virtual_servers"] = {"chosen": {"tools": shown, "allowed_users": ["bench"]}}
        self._config.write_text(json.dumps(config))
        self._run("users", "add", "bench")
        made = self._run("keys", "create", "bench", "--name", "bench")
        self.token = next(word for word in made.split() if word.startswith("gk_key_"))
        command = [PYTHON, "-m", "gatekit", "serve", "--config", self._config]
        self.process = Process(command, self._home / "serve.log", env=self._environ)
        self.process.until_open(self.port)
        paths = ["/s/open/mcp", "/s/some/mcp", "/mcp", *(["/s/chosen/mcp"] if virtual else [])]
        self.cases = {
            f"{path} {era}": self._request(path, era) for path in paths for era in ("stateless", "handshake")
        }

    def _run(self, *arguments: str) -> str:
        command = [str(PYTHON), "-m", "gatekit", *arguments, "--config", str(self._config)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=self._environ)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def _request(self, path: str, era: str) -> bytes:
        if era == "handshake":
            headers = open_session(self.port, path, self.token, HANDSHAKE)
            body = message("tools/list", {})
        else:
            headers = _headers(self.token, MCP_Protocol_Version=STATELESS, Mcp_Method="tools/list")
            body = message("tools/list", {"_meta": META})
        http = Http(self.port)
        request = http.request(path, headers, body)
        status, _, answer = http.send(request)
        http.close()
        count = len(json.loads(answer)["result"]["tools"])
        expected = 200 if path == "/s/open/mcp" else 380 if path == "/mcp" else 180
        if status != 200 or count != expected:
            raise RuntimeError(f"{path} {era}: {status}, {count} tools")
        return request

    def measure(self, case: str, calls: int) -> tuple[float, float]:
        """(CPU µs per call, p50 ms)."""
        http, request = Http(self.port), self.cases[case]
        http.send(request)
        took = []
        before = self._cpu()
        for _ in range(calls):
            began = time.perf_counter()
            http.send(request)
            took.append(time.perf_counter() - began)
        spent = self._cpu() - before
        http.close()
        return spent * 1e6 / calls, statistics.median(took) * 1000

    def _cpu(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/schedstat").read_text().split()
        return int(fields[0]) / 1e9


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.listing", description=__doc__)
    parser.add_argument("--other", type=Path, help="a checkout of the commit to compare with")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=150)
    options = parser.parse_args()
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gatekit-bench-")))
        gateways = [Gateway(ROOT, scratch, virtual=True)]
        stack.callback(gateways[0].process.stop)
        if options.other is not None:
            gateways.append(Gateway(options.other.resolve(), scratch, virtual=False))
            stack.callback(gateways[1].process.stop)
        found: dict[tuple[int, str], list[tuple[float, float]]] = {}
        for number in range(options.rounds):
            print(f"· round {number + 1}", file=sys.stderr, flush=True)
            for case in gateways[0].cases:
                for index, gateway in enumerate(gateways):
                    if case in gateway.cases:
                        found.setdefault((index, case), []).append(gateway.measure(case, options.calls))
    print("| 200 tools | µs CPU | p50 ms |" + (" µs CPU before | ratio |" if options.other else ""))
    print("|---|---|---|" + ("---|---|" if options.other else ""))
    for case in gateways[0].cases:
        cpu, p50 = (statistics.median(values) for values in zip(*found[0, case], strict=True))
        line = f"| {case} | {cpu:,.0f} | {p50:.2f} |"
        if (1, case) in found:
            before = statistics.median(value for value, _ in found[1, case])
            line += f" {before:,.0f} | {cpu / before:.2f} |"
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
