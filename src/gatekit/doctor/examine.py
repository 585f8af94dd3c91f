"""The examination: the ground, every chosen client, and what it all comes to.

With a configuration at hand the gateway is looked at twice: past the proxy, at the address it listens on, and
from outside, under the URL that people type. What is right inside and wrong outside was broken in between.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from urllib.parse import urlsplit

from msgspec import Struct

from gatekit.doctor import ground
from gatekit.doctor.ailments import Ailment
from gatekit.doctor.line import Line, ailing, origin_of, parts_of
from gatekit.doctor.opening import contact, discover
from gatekit.doctor.profile import Profile
from gatekit.doctor.signin import SignIn, Somebody, call, stream
from gatekit.doctor.walk import Course, Walk
from gatekit.doctor.words import Level
from gatekit.errors import ClientWouldFail, OutboundRefused
from gatekit.model.ports import Clock, Entropy
from gatekit.platform.outbound import Outbound

_ANYWHERE = frozenset({"dns", "refused", "tls", "silent", "gateway-down"})
"""What stops everybody in the same way, so that one client is enough to know."""


class Order(Struct, frozen=True, kw_only=True):
    """What to look at."""

    url: str
    """The MCP endpoint as people type it."""
    profiles: Sequence[Profile]
    local: str = ""
    """Origin at which the gateway itself listens; empty if not on this machine. No secret goes there."""
    documents: bool = False
    """Whether this machine fetches client metadata documents as the gateway would."""
    somebody: Somebody | None = None
    api_key: str = ""
    """For a call and an event stream, where nobody can sign in with a password."""
    blind: bool = False
    """Whether there is a proxy in front whose word on people's addresses the gateway does not take."""

    def __repr__(self) -> str:
        """Without the key."""
        return f"Order(url={self.url!r}, local={self.local!r})"


class Finding(Struct, frozen=True, kw_only=True):
    """One ailment, and whom it hits. Nobody in particular: everybody, or nobody yet."""

    ailment: Ailment
    clients: tuple[str, ...] = ()
    between: bool = False
    """Whether the gateway itself does it right, so that something in front of it is to blame."""

    @property
    def level(self) -> Level:
        """What hits none of the clients that were asked about is no failure."""
        return self.ailment.level if self.clients else "warning"


class Result(Struct, frozen=True, kw_only=True):
    url: str
    courses: tuple[Course, ...]
    findings: tuple[Finding, ...]
    """The worst first."""
    left_behind: int = 0
    """Registrations that could not be deleted."""
    stepped_aside: bool = False
    """Whether the clients were walked past the proxy, because this machine cannot reach the public URL."""

    @property
    def ok(self) -> bool:
        return all(finding.level == "warning" for finding in self.findings)


class Examination:
    """One run."""

    def __init__(
        self,
        order: Order,
        clock: Clock,
        entropy: Entropy,
        pause: Callable[[float], Awaitable[None]],
        progress: Callable[[str], None],
    ) -> None:
        """``progress`` is told what comes next. The operator named the URL, so its host may be private."""
        self._order = order
        self._entropy = entropy
        self._pause = pause
        self._progress = progress
        hosts = {host for url in (order.url, order.local) if (host := urlsplit(url).hostname)}
        self._outbound = Outbound(clock, sorted(hosts))
        self._strangers = Outbound(clock)
        self._outside = Line(self._outbound, clock)
        self._inside = (
            Line(self._outbound, clock, {origin_of(order.url): order.local}) if order.local else None
        )

    async def run(self) -> Result:
        order = self._order
        common = await ground.look(self._outside, order.url)
        inside = self._inside
        line, aside = self._outside, False
        lost = inside is not None and any(each.code in _ANYWHERE for each in common)
        if lost and _secret(order):
            # Its own address is plain http, and nothing says that who answers there is the gateway.
            common.append(Ailment("secret-kept", {"public": order.url, "local": order.local}))
        elif lost and inside is not None:
            at_home = await ground.look(inside, order.url)
            if not any(each.code in _ANYWHERE for each in at_home):
                line, aside = inside, True
                common = [_one_way(order, common[0]), *at_home]
        courses = await self._clients(line)
        left = [course for course in courses if not await self._clean(line, course)]
        found = next((course.found for course in courses if course.found is not None), None)
        common += ground.scopes(found) if found is not None else []
        common += [Ailment("one-address")] if order.blind and not aside else []
        everybody = await self._with_key(line) if order.api_key else []
        right = await self._right_at_home() if inside is not None and not aside else frozenset()
        return Result(
            url=order.url,
            courses=tuple(courses),
            findings=tuple(_merged(common, everybody, courses, right)),
            left_behind=len(left),
            stepped_aside=aside,
        )

    async def _clients(self, line: Line) -> list[Course]:
        order = self._order
        documents = self._document if order.documents else None
        walk = Walk(line, self._entropy, self._pause, documents)
        sign_in = SignIn(line, self._entropy, order.somebody) if order.somebody is not None else None
        courses: list[Course] = []
        for profile in order.profiles:
            self._progress(profile.title)
            course = await walk.run(profile, order.url)
            if sign_in is not None and course.stopped is None:
                await sign_in.run(course)
            courses.append(course)
            if course.stopped is not None and course.stopped.code in _ANYWHERE:
                break
        return courses

    async def _document(self, url: str) -> str:
        try:
            answer = await self._strangers.fetch("GET", url, headers={"accept": "application/json"})
        except OutboundRefused as error:
            return str(error)
        return "" if answer.status == 200 else f"it was answered {answer.status}"

    async def _with_key(self, line: Line) -> list[Ailment]:
        """One call of each era that is asked about, and one event stream."""
        profiles = {profile.stateless: profile for profile in self._order.profiles}
        try:
            for profile in profiles.values():
                await call(line, profile, self._order.url, self._order.api_key)
            await stream(line, self._order.profiles[0], self._order.url, self._order.api_key)
        except ClientWouldFail as failure:
            return [Ailment(failure.code, failure.facts)]
        return []

    async def _clean(self, line: Line, course: Course) -> bool:
        """Delete what was registered (RFC 7592 §2.3). Whether nothing is left."""
        client = course.client
        if client is None or client.document:
            return True
        bearer = {"authorization": f"Bearer {client.management_token}"}
        try:
            if not client.management_uri or origin_of(client.management_uri) != origin_of(self._order.url):
                return False
            return (await line.send("DELETE", client.management_uri, bearer)).status == 204
        except ClientWouldFail:
            return False

    async def _right_at_home(self) -> frozenset[str]:
        """Codes of what the gateway itself gets right, as far as discovery goes; empty if it does not answer.

        Nothing is registered for that: what is wrong further on is judged from outside alone.
        """
        assert self._inside is not None
        wrong: set[str] = set()
        for ailment in await ground.look(self._inside, self._order.url):
            wrong.add(ailment.code)
        for profile in self._order.profiles:
            try:
                leads = await contact(self._inside, profile, self._order.url)
                await discover(self._inside, profile, self._order.url, leads)
            except ClientWouldFail as failure:
                wrong.add(failure.code)
        return frozenset() if wrong & _ANYWHERE else _DISCOVERY - wrong


_DISCOVERY = frozenset(
    {
        "body-empty",
        "challenge-bare",
        "challenge-doubled",
        "challenge-missing",
        "compressed",
        "early",
        "host-rejected",
        "metadata-garbled",
        "metadata-missing",
        "not-here",
        "redirected",
        "resource-missing",
        "root-misleads",
        "turned-away",
    }
)
"""Ailments that discovery past the proxy would show too, were they the gateway's own. What public_url causes
is not among them."""


def _secret(order: Order) -> bool:
    return order.somebody is not None or bool(order.api_key)


def _one_way(order: Order, cause: Ailment) -> Ailment:
    facts = {"public": order.url, "reason": cause.title, "local": order.local}
    return Ailment("one-way", facts)


def _merged(
    common: Sequence[Ailment],
    everybody: Sequence[Ailment],
    courses: Sequence[Course],
    right: frozenset[str],
) -> Iterator[Finding]:
    """One finding per code: what stops clients first, then what they notice, then the rest."""
    facts: dict[str, Ailment] = {}
    hits: dict[str, list[str]] = {}
    for course in courses:
        stopped = [course.stopped] if course.stopped is not None else []
        for ailment in (*stopped, *course.notes, *everybody):
            facts.setdefault(ailment.code, ailment)
            hits.setdefault(ailment.code, []).append(course.profile.title)
    for ailment in common:
        facts.setdefault(ailment.code, ailment)
        hits.setdefault(ailment.code, [])
    order: dict[Level, int] = {"failure": 0, "warning": 1}
    for code in sorted(facts, key=lambda each: (order[facts[each].level], -len(hits[each]))):
        clients = tuple(dict.fromkeys(hits[code]))
        yield Finding(ailment=facts[code], clients=clients, between=code in right)


def endpoint(url: str) -> str:
    """The MCP endpoint that somebody meant who typed ``url``: an origin stands for everything behind it.

    Raises ``ClientWouldFail`` if it is no URL at all.
    """
    parts = parts_of(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ailing(Ailment("dns", {"host": url, "reason": "it is not an http or https URL"}))
    return url if parts.path.strip("/") else f"{origin_of(url)}/mcp"
