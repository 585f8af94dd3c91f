"""The loopback listener that a browser brings the authorization response to (RFC 8252 §7.3)."""

from __future__ import annotations

import asyncio
import html
import socket
from types import TracebackType
from urllib.parse import parse_qsl, urlsplit

from gatekit.errors import ChannelError

HOST = "127.0.0.1"
PATH = "/callback"
_MAX_REQUEST = 64 * 1024
_HEADERS = (
    "content-type: text/html; charset=utf-8\r\ncache-control: no-store\r\nreferrer-policy: no-referrer\r\n"
    "connection: close\r\n\r\n"
)
_PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Gatekit</title>'
    '<body style="font-family: system-ui; margin: 4rem auto; max-width: 32rem"><h1>{title}</h1><p>{text}</p>'
)


class Loopback:
    """Listens from ``async with`` on; ``answer`` is the first authorization response with the right state."""

    def __init__(self, state: str, port: int = 0, path: str = PATH) -> None:
        """``state`` empty: nobody is believed before ``expect``. ``port`` 0: any. Raises ``ChannelError`` if
        it is taken."""
        self._state = state
        self._path = path
        self._answer: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()
        self._server: asyncio.Server | None = None
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((HOST, port))
        except OSError as error:
            self._socket.close()
            raise ChannelError(f"port {port} for the answer of the sign-in is taken") from error
        self.redirect_uri = f"http://{HOST}:{self._socket.getsockname()[1]}{path}"

    async def __aenter__(self) -> Loopback:
        self._server = await asyncio.start_server(self._serve, sock=self._socket, limit=_MAX_REQUEST)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()

    def expect(self, state: str) -> None:
        """The state of the sign-in that has begun now."""
        self._state = state

    async def answer(self) -> dict[str, str]:
        """The parameters that the browser brought."""
        return await self._answer

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(10):
                head = await reader.readuntil(b"\r\n\r\n")
            status, title, text = self._taken(head.split(b"\r\n", 1)[0].decode("latin-1"))
            body = _PAGE.format(title=html.escape(title), text=html.escape(text)).encode()
            writer.write(f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n{_HEADERS}".encode() + body)
            await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a browser that speculates, or somebody else on this machine
        finally:
            writer.close()

    def _taken(self, line: str) -> tuple[str, str, str]:
        method, _, rest = line.partition(" ")
        target = urlsplit(rest.rpartition(" ")[0])
        if method != "GET" or target.path != self._path:
            return "404 Not Found", "Nothing here", "This page only waits for the end of a sign-in."
        pairs = parse_qsl(target.query, keep_blank_values=True)
        found = dict(pairs)
        # Anybody on this machine can knock; only who was sent by us knows the state (RFC 9700 §4.7).
        if not self._state or len(found) != len(pairs) or found.get("state") != self._state:
            return "400 Bad Request", "Not this sign-in", "Start again from your client."
        if not self._answer.done():
            self._answer.set_result(found)
        if "error" in found:
            return "200 OK", "Not signed in", found.get("error_description") or found["error"]
        return "200 OK", "Signed in", "You can close this window and go back to your client."
