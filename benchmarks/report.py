"""Ratios against the targets, and tables that a person can read."""

from __future__ import annotations

from typing import Any

GATE, GATE_OLD = "gatekit light stateless", "gatekit light handshake"


def verdicts(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Each target: what it is, what was reached, whether that is enough."""
    found: list[dict[str, Any]] = []

    def add(what: str, value: float, target: float, at_least: bool, unit: str) -> None:
        met = value >= target if at_least else value <= target
        found.append(
            {"what": what, "value": value, "target": target, "at_least": at_least, "unit": unit, "met": met}
        )

    def rate(name: str) -> float:
        return float(results["load"].get(name, {}).get("64", {}).get("calls_per_second", 0.0))

    one = results["latency"]
    for era, name in (("stateless", GATE), ("handshake", GATE_OLD)):
        if name not in one:
            continue
        if rate("floor"):
            add(
                f"calls/s at 64 clients, share of the floor ({era})",
                rate(name) / rate("floor"),
                0.6,
                True,
                "",
            )
        added = one[name]["p50_ms"] - one["child light"]["p50_ms"]
        add(f"added p50 with one client ({era})", added, 0.35, False, "ms")
        sdk = f"gatekit sdk {era}"
        if rate(sdk):
            add(
                f"calls/s of an SDK child, share of the child alone ({era})",
                rate(sdk) / rate("child sdk"),
                0.95,
                True,
                "",
            )
        if rate("mcp-proxy"):
            add(f"times mcp-proxy ({era})", rate(name) / rate("mcp-proxy"), 7, True, "×")
        if rate("fastmcp proxy"):
            add(f"times FastMCP proxy ({era})", rate(name) / rate("fastmcp proxy"), 35, True, "×")
    add("idle event stream", results["memory"]["bytes_per_idle_stream"] / 1024, 16, False, "KB")
    add("first answer after start", results["start_up"]["first_answer_s"], 0.6, False, "s")
    add("idle memory", results["start_up"]["idle_rss_bytes"] / 1e6, 70, False, "MB")
    return found


def text(results: dict[str, Any]) -> str:
    about = results["machine"]
    machine = f"{about['cores']} cores, {about['processor']}, Python {about['python']}"
    parts = [
        [f"{machine}, load {about['load'][0]:.1f}"],
        _load(results["load"]),
        _latency(results["latency"]),
    ]
    parts += [_rest(results["memory"], results["start_up"]), [_verdict(one) for one in results["verdicts"]]]
    return "\n\n".join("\n".join(part) for part in parts)


def _load(found: dict[str, dict[str, dict[str, float]]]) -> list[str]:
    names = ("clients", "calls/s", "±", "p50 ms", "p99 ms", "µs CPU", "errors")
    lines = [f"{'load':26}" + "".join(f"{name:>10}" for name in names)]
    for name, by_clients in found.items():
        for clients, row in by_clients.items():
            cells = [
                clients,
                f"{row['calls_per_second']:.0f}",
                f"{row['spread']:.0%}",
                f"{row['p50_ms']:.2f}" if "p50_ms" in row else "",
                f"{row['p99_ms']:.2f}" if "p99_ms" in row else "",
                f"{row['cpu_us_per_call']:.0f}" if "cpu_us_per_call" in row else "",
                f"{row['errors']:.0f}",
            ]
            lines.append(f"{name:26}" + "".join(f"{cell:>10}" for cell in cells))
    return lines


def _latency(found: dict[str, dict[str, float]]) -> list[str]:
    lines = [f"{'one client':26}{'p50 ms':>10}{'p95 ms':>10}"]
    return lines + [f"{name:26}{row['p50_ms']:>10.3f}{row['p95_ms']:>10.3f}" for name, row in found.items()]


def _rest(memory: dict[str, float], start: dict[str, float]) -> list[str]:
    session, stream = memory["bytes_per_idle_session"] / 1024, memory["bytes_per_idle_stream"] / 1024
    return [
        f"idle session {session:.1f} KB, idle stream {stream:.1f} KB (of {memory['sessions']:.0f})",
        f"first answer after {start['first_answer_s']:.2f} s, first call of a tool (starting the child) after"
        f" {start['first_call_s']:.2f} s; {start['idle_rss_bytes'] / 1e6:.0f} MB idle",
    ]


def _verdict(one: dict[str, Any]) -> str:
    mark, sign = ("✓" if one["met"] else "✗"), "≥" if one["at_least"] else "≤"
    unit = f" {one['unit']}".rstrip()
    return f"{mark} {one['what']}: {one['value']:.3g}{unit} (target {sign} {one['target']:g}{unit})"
