"""Peer: FastMCP's proxy with its JWT verifier, in front of a stdio command; in an environment of its own.

usage: fastmcp_proxy.py PORT -- COMMAND …      prints a token, then serves http://127.0.0.1:PORT/mcp
"""

from __future__ import annotations

import asyncio
import sys

from fastmcp import Client
from fastmcp.client.transports import StdioTransport
from fastmcp.server import create_proxy
from fastmcp.server.auth.providers.jwt import JWTVerifier, RSAKeyPair

ISSUER, AUDIENCE = "http://127.0.0.1", "bench"


async def main() -> None:
    port, _, command, *args = sys.argv[1:]
    keys = RSAKeyPair.generate()
    print(keys.create_token(issuer=ISSUER, audience=AUDIENCE), flush=True)
    verifier = JWTVerifier(public_key=keys.public_key, issuer=ISSUER, audience=AUDIENCE)
    # A connected client is the fast way: without it FastMCP starts a process for each request.
    async with Client(StdioTransport(command, args)) as client:
        proxy = create_proxy(client, name="peer", auth=verifier)
        await proxy.run_http_async(
            host="127.0.0.1",
            port=int(port),
            show_banner=False,
            log_level="error",
            uvicorn_config={"access_log": False},
        )


if __name__ == "__main__":
    asyncio.run(main())
