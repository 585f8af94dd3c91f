"""``gatekit doctor``: would each known client get in, and if not, what mends it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gatekit.cli.context import CONFIG_VARIABLE
from gatekit.cli.output import plain, print_json

if TYPE_CHECKING:
    from gatekit.doctor.examine import Finding, Order, Result
    from gatekit.doctor.profile import Profile
    from gatekit.doctor.walk import Course

PASSWORD_VARIABLE = "GATEKIT_DOCTOR_PASSWORD"
KEY_VARIABLE = "GATEKIT_API_KEY"
_EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104  (names of "every interface", not a bind)


@click.command("doctor", short_help="Would each known client get in?")
@click.argument("url", required=False)
@click.option(
    "--client", "-C", "clients", multiple=True, metavar="NAME", help="Only this client; repeatable."
)
@click.option("--list", "listing", is_flag=True, help="Name the clients that are known, and stop.")
@click.option(
    "--user",
    default="",
    metavar="NAME",
    help=f"Go on past the sign-in page as this person; the password is asked for, or ${PASSWORD_VARIABLE}.",
)
@click.option(
    "--key",
    "with_key",
    is_flag=True,
    help=f"Make a call and open a stream with the API key in ${KEY_VARIABLE}, where nobody has a password.",
)
@click.option(
    "-c",
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"The configuration to look from.  [default: ${CONFIG_VARIABLE} or gatekit.yaml]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def doctor(
    url: str | None,
    clients: tuple[str, ...],
    listing: bool,
    user: str,
    with_key: bool,
    config: Path | None,
    as_json: bool,
) -> None:
    """Replay how each known client finds this gateway, registers and signs in; explain what would fail, for
    whom, and how to mend it.

    Without URL it looks at the gateway of the configuration file: from inside, past the proxy, and under its
    public URL. With URL it needs no configuration and may run anywhere: on the machine of whoever cannot
    sign in, best of all. What it registers it deletes again where the server lets it, and it revokes what it
    was granted.

    Exit code 0: nobody was seen to fail. 1: somebody does not get in. 2: wrong usage, or a faulty
    configuration.

    \b
    Example:
      gatekit doctor
      gatekit doctor https://mcp.example.com/mcp --client claude-code --client chatgpt
    """
    from gatekit.doctor.table import PROFILES, chosen

    if listing:
        for profile in PROFILES:
            click.echo(f"{profile.name.ljust(18)}{profile.title}")
        return
    try:
        profiles = chosen(clients)
    except ValueError as unknown:
        raise click.BadParameter(str(unknown), param_hint="--client") from None
    order = _order(url, config, profiles, user, _key() if with_key else "")
    result = asyncio.run(_examine(order, quiet=as_json or not sys.stderr.isatty()))
    if as_json:
        print_json(_document(result))
    else:
        _print(order, result)
    sys.exit(0 if result.ok else 1)


def _key() -> str:
    key = os.environ.get(KEY_VARIABLE, "").strip()  # a file that is read into it ends with a newline
    if not key:
        raise click.UsageError(f"--key: ${KEY_VARIABLE} holds no API key (gatekit keys create makes one)")
    if not all("!" <= character <= "~" for character in key):
        raise click.UsageError(f"--key: ${KEY_VARIABLE} holds characters that no API key has")
    return key


def _order(url: str | None, config: Path | None, profiles: Sequence[Profile], user: str, key: str) -> Order:
    from gatekit.config.load import load
    from gatekit.doctor.examine import Order, endpoint
    from gatekit.doctor.signin import Somebody
    from gatekit.errors import ClientWouldFail

    local, documents, blind = "", False, False
    if url is None:
        loaded = load(config or Path(os.environ.get(CONFIG_VARIABLE) or "gatekit.yaml"))
        url, documents = loaded.public_url, True
        host = "127.0.0.1" if loaded.host in _EVERYWHERE else loaded.host
        local = f"http://[{host}]:{loaded.port}" if ":" in host else f"http://{host}:{loaded.port}"
        local = "" if local == url else local
        blind = bool(local) and not loaded.trusted_proxies
    try:
        target = endpoint(url)
    except ClientWouldFail:
        raise click.BadParameter(f"{url} is not an http or https URL", param_hint="URL") from None
    somebody = None
    if (user or key) and _overheard(target):
        raise click.BadParameter(
            f"no secret is sent to {target}: it is plain http", param_hint="--user, --key"
        )
    if user:
        password = os.environ.get(PASSWORD_VARIABLE) or click.prompt(
            f"Password of {user}", hide_input=True, err=True
        )
        somebody = Somebody(user, password)
    return Order(
        url=target,
        profiles=profiles,
        local=local,
        documents=documents,
        somebody=somebody,
        api_key=key,
        blind=blind,
    )


def _overheard(url: str) -> bool:
    """Whether what is sent to ``url`` crosses a network in plain text."""
    from urllib.parse import urlsplit

    from gatekit.config.addresses import is_loopback

    parts = urlsplit(url)
    return parts.scheme == "http" and not is_loopback(parts.hostname or "")


async def _examine(order: Order, quiet: bool) -> Result:
    from gatekit.doctor.examine import Examination
    from gatekit.platform.clock import SystemClock, SystemEntropy

    def progress(title: str) -> None:
        if not quiet:
            click.echo(f"\r\x1b[2K… {title}", err=True, nl=False)

    examination = Examination(order, SystemClock(), SystemEntropy(), asyncio.sleep, progress)
    try:
        return await examination.run()
    finally:
        if not quiet:
            click.echo("\r\x1b[2K", err=True, nl=False)


def _print(order: Order, result: Result) -> None:
    click.echo(
        f"{plain(result.url)}"
        + (f"  (looked at past the proxy, at {order.local})" if result.stepped_aside else "")
    )
    click.echo()
    width = max((len(course.profile.title) for course in result.courses), default=0)
    for course in result.courses:
        click.echo(_row(course, width))
    untried = len(order.profiles) - len(result.courses)
    if untried:
        click.echo(f"  …  {untried} more would stop at the same place")
    for finding in result.findings:
        click.echo()
        _print_finding(finding)
    click.echo()
    click.echo(_summary(order, result))


def _row(course: Course, width: int) -> str:
    title = course.profile.title.ljust(width)
    if course.stopped is None:
        far = "signs in, calls and refreshes" if "refresh" in course.steps else "gets to the sign-in page"
        return f"  {_mark('failure', ok=True)}  {title}  {far}"
    after = f"after {course.steps[-1]}" if course.steps else "at once"
    level = course.stopped.level
    far = f"stops {after}" if level == "failure" else f"could not be judged {after}"
    return f"  {_mark(level)}  {title}  {far}: {plain(course.stopped.title)}"


def _mark(level: str, ok: bool = False) -> str:
    if ok:
        return click.style("✓", fg="green")
    return click.style("✗", fg="red") if level == "failure" else click.style("!", fg="yellow")


def _print_finding(finding: Finding) -> None:
    ailment = finding.ailment
    click.echo(f"{_mark(finding.level)} {click.style(plain(ailment.title), bold=True)}  [{ailment.code}]")
    _paragraph("hits", ", ".join(finding.clients))
    _paragraph("why", ailment.why)
    if finding.between:
        _paragraph("where", "The gateway itself does this right; it is lost in what stands in front of it.")
    _paragraph("mend", ailment.mend)


def _paragraph(name: str, text: str) -> None:
    import textwrap

    text = plain(" ".join(text.split()))
    if text:
        click.echo(
            textwrap.fill(
                text,
                width=100,
                initial_indent=f"  {name.ljust(6)}",
                subsequent_indent=" " * 8,
                break_long_words=False,
                break_on_hyphens=False,
            )
        )


def _summary(order: Order, result: Result) -> str:
    good = sum(course.ok for course in result.courses)
    text = f"{good} of {len(order.profiles)} clients get in"
    short = sum(course.ok and "sign-in" not in course.steps for course in result.courses)
    if order.somebody is None:
        text += ", as far as the sign-in page (--user NAME goes further)"
    elif short:
        text += f", {short} of them only as far as the sign-in page"
    unjudged = sum(
        course.stopped is not None and course.stopped.level == "warning" for course in result.courses
    )
    text += f"; {unjudged} could not be judged." if unjudged else "."
    if result.left_behind:
        text += f"\n{result.left_behind} registrations named '… (gatekit doctor)' could not be deleted again"
        used = order.somebody is not None
        text += ": gatekit clients delete" if used else "; Gatekit forgets unused ones after a day."
    return text


def _document(result: Result) -> dict[str, Any]:
    """The JSON form. Codes are for good, texts may change."""
    return {
        "url": result.url,
        "ok": result.ok,
        "past_the_proxy": result.stepped_aside,
        "clients": [
            {
                "name": course.profile.name,
                "title": course.profile.title,
                "ok": course.ok,
                "steps": course.steps,
                "stopped": course.stopped.code if course.stopped is not None else None,
            }
            for course in result.courses
        ],
        "findings": [
            {
                "code": finding.ailment.code,
                "level": finding.level,
                "title": finding.ailment.title,
                "clients": list(finding.clients),
                "why": finding.ailment.why,
                "in_front_of_the_gateway": finding.between,
                "mend": finding.ailment.mend,
            }
            for finding in result.findings
        ],
        "registrations_left": result.left_behind,
    }
