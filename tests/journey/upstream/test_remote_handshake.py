"""Streamable HTTP of the handshake era, as a client: sessions, questions, streams that break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from gatekit.errors import LinkClosed, LinkTimeout
from gatekit.model.call import Notice, Question, Result, Signal
from gatekit.upstream.link import Hello
from gatekit.upstream.transport import OwnedLink
from tests.emulators.remote import EVENTS, Out, RemoteServer, Seen, error, handshake, notice, result, said
from tests.journey.upstream.kit import HANDSHAKE, STATELESS, Kit, body, far, remote, tool, until
from tests.journey.upstream.kit import said as text_of


@pytest.fixture
async def server() -> RemoteServer:
    return handshake()


@pytest.fixture
async def url(server: RemoteServer) -> AsyncIterator[str]:
    async with server.running() as found:
        yield found


async def opened(kit: Kit, url: str, **settings: object) -> OwnedLink:
    return await kit.pool.acquire(far(), remote(url, **settings), HANDSHAKE)


async def test_the_session_goes_with_every_request(kit: Kit, url: str, server: RemoteServer) -> None:
    link = await opened(kit, url, headers=(("X-Key", "k"),))
    assert (link.era, link.version, link.server_info["name"]) == ("handshake", "2025-11-25", "far")
    assert text_of(await link.call("tools/call", tool("echo", a=1))) == '{"a": 1}'
    await until(lambda: "GET" in server.methods())
    await kit.pool.stop(far(), "enough")
    await until(lambda: "DELETE" in server.methods())
    first, *others = server.seen
    assert first.method == "initialize"
    assert not {"mcp-session-id", "mcp-protocol-version"} & first.headers.keys()
    assert others[0].method == "notifications/initialized"
    for seen in others:
        assert seen.headers["mcp-session-id"] == "s-1"
        assert seen.headers["mcp-protocol-version"] == "2025-11-25"
        assert seen.headers["x-key"] == "k"


async def test_a_server_without_sessions_gets_neither_stream_nor_goodbye(kit: Kit) -> None:
    server = handshake(session="", version="2025-03-26")
    async with server.running() as url:
        link = await opened(kit, url)
        assert link.version == "2025-03-26"
        await link.call("tools/list", {})
        await kit.pool.close()
    assert server.methods() == ["initialize", "notifications/initialized", "tools/list"]


async def test_each_session_has_one_of_its_own(kit: Kit, url: str, server: RemoteServer) -> None:
    first = await opened(kit, url)
    second = await kit.pool.acquire(far("session:2"), remote(url), HANDSHAKE)
    assert first is not second
    assert server.methods().count("initialize") == 2


async def test_a_question_on_the_stream_is_answered_by_a_post(
    kit: Kit, url: str, server: RemoteServer
) -> None:
    answered = asyncio.Event()

    async def on_response(seen: Seen, out: Out) -> None:
        answered.set()
        await out.body(202, kind="")

    async def asking(seen: Seen, out: Out) -> None:
        await out.head(200, EVENTS)
        question = {"message": "sure?", "requestedSchema": {"type": "object"}}
        await out.event({"jsonrpc": "2.0", "id": "q1", "method": "elicitation/create", "params": question})
        await answered.wait()
        await out.event(result(seen, said("thanks")))
        await out.end()

    server.on("response", on_response)
    server.on("tools/call", asking)
    hello = Hello(era="handshake", version="2025-06-18", capabilities={"elicitation": {}})
    link = await kit.pool.acquire(far(), remote(url), hello)
    assert server.seen[0].params["capabilities"] == {"elicitation": {}}
    questions: list[Question] = []

    def answer(signal: Signal) -> None:
        assert isinstance(signal, Question)
        questions.append(signal)
        signal.answer(Result({"action": "accept", "content": {}}))

    link.listen(answer)
    assert text_of(await link.call("tools/call", tool("x"))) == "thanks"
    assert questions[0].params["message"] == "sure?"
    reply = server.only("response")
    assert reply.message["id"] == "q1"
    assert reply.message["result"] == {"action": "accept", "content": {}}
    assert reply.headers["mcp-session-id"] == "s-1"


async def test_a_ping_is_answered_here(kit: Kit, url: str, server: RemoteServer) -> None:
    async def standing(seen: Seen, out: Out) -> None:
        await out.head(200, EVENTS)
        await out.event({"jsonrpc": "2.0", "id": 9, "method": "ping"})
        await out.watch()

    server.on("GET", standing)
    await opened(kit, url)
    await until(lambda: "response" in server.methods())
    assert server.only("response").message["result"] == {}


async def test_the_standing_stream_is_opened_again_where_it_ended(
    kit: Kit, url: str, server: RemoteServer
) -> None:
    async def standing(seen: Seen, out: Out) -> None:
        number = server.methods().count("GET")
        await out.head(200, EVENTS)
        await out.event(notice("notifications/vendor", n=number), id=f"e{number}", retry="60")
        if number > 2:
            await out.watch()
        await out.end()

    server.on("GET", standing)
    link = await opened(kit, url)
    signals: list[Signal] = []
    link.listen(signals.append)
    await until(lambda: len(signals) == 3)
    assert [s.params["n"] for s in signals] == [1, 2, 3]
    gets = [seen.headers.get("last-event-id") for seen in server.seen if seen.method == "GET"]
    assert gets == [None, "e1", "e2"]


async def test_a_stream_without_its_answer_is_resumed(kit: Kit, url: str, server: RemoteServer) -> None:
    """SEP-1699: the server may end the stream of a call on purpose, to be asked again later."""
    asked: list[Seen] = []

    async def parting(seen: Seen, out: Out) -> None:
        asked.append(seen)
        await out.head(200, EVENTS)
        await out.event("", id="p1", retry="60")
        await out.end()

    async def resumed(seen: Seen, out: Out) -> None:
        place = seen.headers.get("last-event-id", "")
        if not place:
            await out.body(405, kind="")
            return
        await out.head(200, EVENTS)
        if place == "p1":
            token = asked[0].message["id"]
            await out.event(notice("notifications/progress", progressToken=token, progress=1), id="p2")
            raise ConnectionError("cut off in the middle")
        await out.event(result(asked[0], said("at last")), id="p3")
        await out.end()

    server.on("tools/call", parting)
    server.on("GET", resumed)
    link = await opened(kit, url)
    notices: list[Notice] = []
    params = {**tool("x"), "_meta": {"progressToken": "t"}}
    assert text_of(await link.call("tools/call", params, notices.append)) == "at last"
    assert [each.params["progressToken"] for each in notices] == ["t"]
    places = [seen.headers["last-event-id"] for seen in server.seen if "last-event-id" in seen.headers]
    assert places == ["p1", "p2"]
    assert len(asked) == 1


@pytest.mark.parametrize("status", [405, 404, 400])
async def test_a_server_that_resumes_nothing_fails_the_call(
    kit: Kit, url: str, server: RemoteServer, status: int
) -> None:
    async def parting(seen: Seen, out: Out) -> None:
        await out.head(200, EVENTS)
        await out.event("", id="p1", retry="50")
        await out.end()

    async def refuses(seen: Seen, out: Out) -> None:
        if "last-event-id" in seen.headers:
            await out.body(status, kind="")
        else:
            await out.body(405, kind="")

    server.on("tools/call", parting)
    server.on("GET", refuses)
    link = await opened(kit, url)
    with pytest.raises(LinkClosed, match="ended before the answer"):
        await link.call("tools/call", tool("x"))
    assert link.alive


async def test_a_stream_without_ids_is_not_resumed(kit: Kit, url: str, server: RemoteServer) -> None:
    async def parting(seen: Seen, out: Out) -> None:
        await out.head(200, EVENTS)
        await out.end()

    server.on("tools/call", parting)
    link = await opened(kit, url)
    with pytest.raises(LinkClosed, match="ended before the answer"):
        await link.call("tools/call", tool("x"))


async def test_giving_up_is_a_notification(kit: Kit, url: str, server: RemoteServer) -> None:
    async def endless(seen: Seen, out: Out) -> None:
        await out.head(200, EVENTS)
        await out.watch()

    server.on("tools/call", endless)
    link = await opened(kit, url)
    call = link.call("tools/call", tool("x"))
    await until(lambda: "tools/call" in server.methods())
    call.cancel()
    await until(lambda: "notifications/cancelled" in server.methods())
    asked = server.only("tools/call").message["id"]
    assert server.only("notifications/cancelled").params["requestId"] == asked


async def test_silence_ends_a_call(kit: Kit, url: str, server: RemoteServer) -> None:
    async def silent(seen: Seen, out: Out) -> None:
        await out.watch()

    server.on("tools/call", silent)
    link = await opened(kit, url, call_timeout=0.2)
    with pytest.raises(LinkTimeout, match=r"0\.2 s"):
        await link.call("tools/call", tool("x"))
    await until(lambda: "notifications/cancelled" in server.methods())


SET_UP = ("resources/subscribe", "resources/unsubscribe", "logging/setLevel")


class Forgetful:
    """Forgets its session when told to, as after a restart."""

    def __init__(self, server: RemoteServer) -> None:
        self.session = "s-1"
        self.server = server
        for method in ("tools/list", "tools/call", "GET", *SET_UP):
            server.on(method, self.guarded)
        server.on("initialize", self.initialize)

    async def initialize(self, seen: Seen, out: Out) -> None:
        capabilities = {"tools": {"listChanged": True}, "prompts": {}}
        greeting = {"protocolVersion": "2025-11-25", "capabilities": capabilities, "serverInfo": {}}
        await out.json(result(seen, greeting), mcp_session_id=self.session)

    async def guarded(self, seen: Seen, out: Out) -> None:
        if seen.headers.get("mcp-session-id") != self.session:
            await out.json(error(seen, -32600, "Session not found") if seen.message else {}, 404)
        elif seen.method == "GET":
            await out.head(200, EVENTS)
            await out.watch()
        else:
            await out.json(result(seen, said("here", tools=[])))


async def test_a_lost_session_is_opened_once_and_only_harmless_calls_are_repeated(
    kit: Kit, url: str, server: RemoteServer
) -> None:
    forgetful = Forgetful(server)
    link = await opened(kit, url)
    await until(lambda: "GET" in server.methods())
    forgetful.session = "s-2"
    ends = await asyncio.gather(*(link.call("tools/list", {}) for _ in range(5)))
    assert all(body(end)["tools"] == [] for end in ends)
    assert server.methods().count("initialize") == 2
    assert server.methods().count("notifications/initialized") == 2
    await until(lambda: server.methods().count("GET") == 2)
    assert [s.headers["mcp-session-id"] for s in server.seen if s.method == "GET"] == ["s-1", "s-2"]

    forgetful.session = "s-3"
    with pytest.raises(LinkClosed, match="can be made again"):
        await link.call("tools/call", tool("x"))
    assert server.methods().count("tools/call") == 1
    assert text_of(await link.call("tools/call", tool("x"))) == "here"
    assert server.methods().count("initialize") == 3


async def test_what_was_set_up_in_a_lost_session_is_set_up_again(
    kit: Kit, url: str, server: RemoteServer
) -> None:
    forgetful = Forgetful(server)
    link = await opened(kit, url)
    signals: list[Signal] = []
    link.listen(signals.append)
    await link.call("logging/setLevel", {"level": "info"})
    await link.call("logging/setLevel", {"level": "debug"})
    for uri in ("file:///a", "file:///b", "file:///c"):
        await link.call("resources/subscribe", {"uri": uri})
    await link.call("resources/unsubscribe", {"uri": "file:///b"})
    before = len(server.seen)
    forgetful.session = "s-2"
    await link.call("tools/list", {})
    again = [(seen.method, seen.params) for seen in server.seen[before:] if seen.method in SET_UP]
    assert again == [
        ("logging/setLevel", {"level": "debug"}),
        ("resources/subscribe", {"uri": "file:///a"}),
        ("resources/subscribe", {"uri": "file:///c"}),
    ]
    # Whatever was restarted there may offer other things now.
    assert [signal.method for signal in signals] == ["notifications/tools/list_changed"]


async def test_a_server_that_opens_no_other_session_ends_the_link(
    kit: Kit, url: str, server: RemoteServer
) -> None:
    forgetful = Forgetful(server)
    link = await opened(kit, url)

    async def refuses(seen: Seen, out: Out) -> None:
        await out.json(error(seen, -32603, "not today"), 400)

    forgetful.session = "s-2"
    server.on("initialize", refuses)
    with pytest.raises(LinkClosed, match="no new session"):
        await link.call("tools/list", {})
    await until(lambda: "exited" in kit.actions())
    assert kit.pool.get(far()) is None


async def test_a_batch_in_an_answer_is_taken_apart(kit: Kit, url: str, server: RemoteServer) -> None:
    async def batched(seen: Seen, out: Out) -> None:
        await out.json([notice("notifications/vendor", x=1), result(seen, said("one of two"))])

    server.on("tools/call", batched)
    link = await opened(kit, url)
    signals: list[Signal] = []
    link.listen(signals.append)
    assert text_of(await link.call("tools/call", tool("x"))) == "one of two"
    assert signals == [Notice("notifications/vendor", {"x": 1})]


async def test_what_was_found_out_is_remembered(kit: Kit, url: str, server: RemoteServer) -> None:
    link = await kit.pool.acquire(far(), remote(url), STATELESS)
    assert link.era == "handshake"
    assert server.methods()[:2] == ["server/discover", "initialize"]
    await kit.pool.acquire(far("session:2"), remote(url), STATELESS)
    assert server.methods().count("server/discover") == 1
    assert kit.memory.era == "handshake"


async def test_a_flood_is_read_slowly_and_loses_nothing(
    kit: Kit, url: str, server: RemoteServer, caplog: pytest.LogCaptureFixture
) -> None:
    many = 6000

    async def flooding(seen: Seen, out: Out) -> None:
        await out.head(200, EVENTS)
        for start in range(0, many, 500):
            lines = (
                f'data: {{"jsonrpc":"2.0","method":"notifications/x","params":{{"n":{n}}}}}\n\n'
                for n in range(start, start + 500)
            )
            await out.write("".join(lines).encode())
        await out.watch()

    server.on("GET", flooding)
    link = await opened(kit, url)
    numbers: list[int] = []
    link.listen(lambda signal: numbers.append(signal.params["n"]))
    while len(numbers) < many:
        assert body(await asyncio.wait_for(link.call("tools/list", {}), 10))["tools"]
    assert numbers[-5000:] == list(range(many - 5000, many))
    assert "floods the gateway" in caplog.text
