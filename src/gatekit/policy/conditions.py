"""Conditions of a rule that change from call to call: client, time, network, sign-in, arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from fnmatch import translate
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gatekit.errors import InvalidInput
from gatekit.model.circumstances import Circumstances
from gatekit.model.rules import Rule, Strength, Window
from gatekit.policy.arguments import compile_test
from gatekit.policy.rules import fold
from gatekit.policy.truth import NO, ODD, OPEN, YES, Truth

BY_NAME = "name:"
"""Before a glob of clients: what the client calls itself."""

Condition = Callable[[Circumstances], Truth]


def conditions_of(rule: Rule) -> tuple[tuple[str, Condition], ...]:
    """(what it is about, the condition) of everything that must hold besides the arguments, cheapest first.

    ``strength`` of a step-up is no condition, it is what is asked for. Raises ``InvalidInput``.
    """
    found: list[tuple[str, Condition]] = []
    if rule.expires_at:
        found.append(("expires_at", _before(rule.expires_at)))
    if rule.clients:
        found.append(("clients", _client(rule.clients)))
    if rule.networks:
        found.append(("network", _network(rule.networks)))
    if rule.when is not None:
        found.append(("when", _window(rule.when)))
    if rule.strength is not None and rule.effect != "step_up":
        found.append(("strength", strong(rule.strength)))
    return tuple(found)


def tests_of(rule: Rule) -> tuple[tuple[str, Condition], ...]:
    """The same of the arguments."""
    restricts = rule.effect != "allow"
    return tuple(
        (f"{test.pointer} {test.operator}", partial(compile_test(test).look, restricts=restricts))
        for test in rule.arguments
    )


def strong(wanted: Strength) -> Condition:
    """Whether the sign-in was fresh and good enough."""

    def judge(about: Circumstances) -> Truth:
        if about.auth_time is None:
            return OPEN
        if not wanted.amr <= about.amr:
            return NO
        if not wanted.max_age:
            return YES
        if not about.at:
            return OPEN
        return YES if about.auth_time and about.at - about.auth_time <= wanted.max_age else NO

    return judge


def _before(end: float) -> Condition:
    return lambda about: OPEN if not about.at else YES if about.at < end else NO


def _client(globs: tuple[str, ...]) -> Condition:
    ids = _any_of(glob for glob in globs if not glob.startswith(BY_NAME))
    names = _any_of(glob.removeprefix(BY_NAME) for glob in globs if glob.startswith(BY_NAME))

    def judge(about: Circumstances) -> Truth:
        if about.client_id is None:
            return OPEN
        if about.client_id and ids is not None and ids.match(fold(about.client_id)):
            return YES
        return YES if names is not None and names.match(fold(about.client_name)) else NO

    return judge


def _any_of(globs: Iterable[str]) -> re.Pattern[str] | None:
    patterns = [translate(fold(glob)) for glob in globs]
    return re.compile("|".join(patterns)) if patterns else None


def _network(networks: tuple[str, ...]) -> Condition:
    try:
        wanted = [ip_network(network) for network in networks]
    except ValueError as error:
        raise InvalidInput(f"{error}: write networks like 10.0.0.0/8") from error

    def judge(about: Circumstances) -> Truth:
        if about.address is None:
            return OPEN
        address = _address(about.address)
        if address is None:
            return ODD
        return YES if any(address in network for network in wanted) else NO

    return judge


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # RFC 4291 §2.5.5.2: a socket for both families shows IPv4 peers like this.
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _window(window: Window) -> Condition:
    try:
        zone = ZoneInfo(window.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInput(f"{window.zone!r} is not a time zone like Europe/Berlin") from error

    def judge(about: Circumstances) -> Truth:
        if not about.at:
            return OPEN
        try:
            now = datetime.fromtimestamp(about.at, zone)
        except (ValueError, OverflowError, OSError):
            return ODD
        minute, day = now.hour * 60 + now.minute, now.weekday()
        if window.start < window.end:
            return YES if day in window.days and window.start <= minute < window.end else NO
        if minute >= window.start:
            return YES if day in window.days else NO
        yesterday = (day - 1) % 7 in window.days
        return YES if yesterday and minute < window.end else NO

    return judge
