"""The floor: the least that a Python gateway can do on uvicorn, uvloop and httptools.

A bare ASGI callable that looks the token up in a dictionary, decodes the envelope, rewrites the id and pipes
the call to one shared child. No sessions, policy, audit, limits, eras, timeouts. What Gatekit reaches is
given as a share of this.

usage: python benchmarks/floor.py PORT TOKEN -- COMMAND …
"""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import uvicorn


class Request(msgspec.Struct):
    method: str
    id: msgspec.Raw = msgspec.Raw(b"")
    params: msgspec.Raw = msgspec.Raw(b"{}")


class Answer(msgspec.Struct, omit_defaults=True):
    id: int = 0
    result: msgspec.Raw = msgspec.Raw(b"")
    error: msgspec.Raw = msgspec.Raw(b"")


decode_request = msgspec.json.Decoder(Request).decode
decode_answer = msgspec.json.Decoder(Answer).decode

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Child:
    def __init__(self, command: list[str], loop: asyncio.AbstractEventLoop) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.input = self.process.stdin.fileno()
        self.output = self.process.stdout.fileno()
        self.loop = loop
        self.last = 0
        self.waiting: dict[int, asyncio.Future[Answer]] = {}
        self.unsent: list[bytes] = []
        self.rest = b""
        loop.add_reader(self.output, self.read)

    def call(self, request: Request) -> asyncio.Future[Answer]:
        self.last += 1
        future = self.waiting[self.last] = self.loop.create_future()
        if not self.unsent:
            self.loop.call_soon(self.flush)
        self.unsent.append(
            b'{"jsonrpc":"2.0","id":%d,"method":"%b","params":%b}\n'
            % (self.last, request.method.encode(), request.params)
        )
        return future

    def flush(self) -> None:
        data = b"".join(self.unsent)
        self.unsent.clear()
        os.write(self.input, data)

    def read(self) -> None:
        *lines, self.rest = (self.rest + os.read(self.output, 1 << 18)).split(b"\n")
        for line in lines:
            answer = decode_answer(line)
            future = self.waiting.pop(answer.id)
            if not future.done():
                future.set_result(answer)


class Floor:
    def __init__(self, token: str, command: list[str]) -> None:
        self.tokens = {f"Bearer {token}".encode(): "somebody"}
        self.command = command
        self.child: Child | None = None

    async def __call__(
        self, scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Send
    ) -> None:
        if scope["type"] == "lifespan":
            await self.lifespan(receive, send)
            return
        for name, value in scope["headers"]:
            if name == b"authorization" and value in self.tokens:
                break
        else:
            await reply(send, 401, b"{}")
            return
        message = await receive()
        body = message["body"]
        while message["more_body"]:
            message = await receive()
            body += message["body"]
        request = decode_request(body)
        assert self.child is not None
        answer = await self.child.call(request)
        kind, value = (b"result", answer.result) if answer.result else (b"error", answer.error)
        await reply(send, 200, b'{"jsonrpc":"2.0","id":%b,"%b":%b}' % (request.id, kind, value))

    async def lifespan(self, receive: Callable[[], Awaitable[Any]], send: Send) -> None:
        await receive()
        self.child = Child(self.command, asyncio.get_running_loop())
        gc.collect()
        gc.freeze()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.child.process.kill()
        await send({"type": "lifespan.shutdown.complete"})


async def reply(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    port, token, _, *command = sys.argv[1:]
    uvicorn.run(
        Floor(token, command),
        host="127.0.0.1",
        port=int(port),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        server_header=False,
        date_header=False,
    )


if __name__ == "__main__":
    main()
