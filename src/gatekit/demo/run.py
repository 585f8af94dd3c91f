"""What the person at the terminal sees: progress, where to go, what to try; or the story, ticked off."""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

import click

from gatekit.demo.browser import StoryError
from gatekit.demo.gateway import PEOPLE, PRIVATE, SERVERS, DemoGateway, free_port
from gatekit.demo.servers import install
from gatekit.demo.story import SECRET_FILE, Story

NOTE = "This file lies on the machine that runs Gatekit; filesystem shows it to the people in sre_team.\n"


def run_check(folder: Path) -> int:
    """The story without a person. Exit code 0: every step held."""
    began = time.monotonic()
    gateway: DemoGateway | None = None
    with tempfile.TemporaryDirectory(prefix="gatekit-check-") as scratch:
        try:
            gateway = _prepared(folder, Path(scratch), free_port(0))
            Story(gateway, _tick).tell()
        except StoryError as error:
            click.echo(f"✗ {error}")
            if gateway is not None and gateway.log.is_file():
                click.echo(f"  the gateway's last words: {gateway.last_words()}")
            return 1
        finally:
            if gateway is not None:
                gateway.stop()
    click.echo(f"✓ the whole story held ({time.monotonic() - began:.0f} s)")
    return 0


def run_demo(folder: Path, port: int) -> int:
    """Stay up until Ctrl-C (exit code 0), or until the gateway ends by itself (1)."""
    gateway: DemoGateway | None = None
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        chosen = free_port(port)
        if chosen != port:
            _say(f"port {port} is taken; using {chosen}")
        gateway = _prepared(folder, folder, chosen)
        links = {name: gateway.invite(name) for name in PEOPLE}
        _tick("people: " + ", ".join(f"{name} ({', '.join(groups)})" for name, groups in PEOPLE.items()))
        click.echo(_invitation(gateway, links))
        while gateway.alive():
            time.sleep(0.2)
        click.echo(f"✗ the gateway ended: {gateway.last_words()}")
        return 1
    except StoryError as error:
        click.echo(f"✗ {error}")
        return 1
    except KeyboardInterrupt:
        click.echo("\n· stopping")
        return 0
    finally:
        if gateway is not None:
            gateway.stop()
            click.echo("✓ stopped")


def furnish(home: Path) -> Path:
    """The files that are shared, and those that a rule keeps private; the folder of them."""
    scratch = (home / "files").resolve()
    scratch.mkdir(parents=True, exist_ok=True)
    (scratch / PRIVATE).mkdir(exist_ok=True)
    (scratch / PRIVATE / "diary.txt").write_text("Nobody reads this.\n", encoding="utf-8")
    (scratch / SECRET_FILE).write_text(NOTE, encoding="utf-8")
    return scratch


def _prepared(folder: Path, home: Path, port: int) -> DemoGateway:
    """Servers in ``folder``, a running gateway with its configuration and data in ``home``."""
    scratch = furnish(home)
    commands = install(folder / "servers", scratch, _say)
    _tick(f"servers: {commands.versions}")
    gateway = DemoGateway(home, port)
    gateway.configure(commands)
    try:
        seconds = gateway.start()
    except BaseException:
        gateway.stop()
        raise
    _tick(f"gateway: {gateway.url} is up after {seconds:.1f} s")
    return gateway


def _invitation(gateway: DemoGateway, links: dict[str, str]) -> str:
    beside = Path(sys.executable).with_name("gatekit")
    gatekit = str(beside) if beside.is_file() else f"{sys.executable} -m gatekit"
    lines = [
        "",
        "Paste one of these into an MCP client; it finds the rest by itself:",
        f"  {gateway.endpoint():44} everything you may use, in one place",
        *(f"  {gateway.endpoint(name):44} for {group}" for name, group in SERVERS.items()),
        "",
        "Sign in as one of these (a link works once and lets you choose a password):",
        *(f"  {name:6} {', '.join(PEOPLE[name]):22} {link}" for name, link in links.items()),
        "",
        "Try:",
        f"  · claude mcp add --transport http gatekit-demo {gateway.endpoint()}",
        "  · connect a client as alice: she has filesystem. Then as bob: he does not even see it.",
        f"  · watch what happens: {gatekit} audit --data-dir {gateway.data} tail -f",
        f"  · take bob out of developers in {gateway.config}",
        "    while a client of his is connected: his next request is refused.",
        "  · let everything echo a key like AKIAZ7Q2MXW4KD5RJ3VN: a guard blocks it.",
        f"  · let filesystem read {gateway.folder / 'files' / PRIVATE}: a rule denies it. Why:",
        f"    {gatekit} policy explain --config {gateway.config} --user alice --server filesystem "
        f'--tool read_text_file --args \'{{"path": "{gateway.folder / "files" / PRIVATE}"}}\'',
        f"  · let filesystem write a file: it waits for {gatekit} approvals --config {gateway.config} list",
        f"  · change {gateway.sums} and list the tools of sums again: add is withheld, and waits in",
        f"    {gatekit} pins --config {gateway.config} list --waiting",
        "  · a client that cannot sign in takes a key as its bearer token:",
        f"    {gatekit} keys create alice --name editor --config {gateway.config}",
        "",
        f"The gateway's log is {gateway.log}",
        "Ctrl-C stops everything.",
    ]
    return "\n".join(lines)


def _say(text: str) -> None:
    click.echo(f"· {text}")


def _tick(text: str) -> None:
    click.echo(f"✓ {text}")


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
