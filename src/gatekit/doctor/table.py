"""The known clients. Recorded from the programs themselves (autumn 2026) but for the hosted ones and Cursor,
whose makers and users have written down what they send.
"""

from __future__ import annotations

from gatekit.doctor.profile import Profile
from gatekit.model.oauth import DEVICE_CODE
from gatekit.protocol.methods import HANDSHAKE_VERSIONS, LATEST_HANDSHAKE, LATEST_STATELESS

_FIRST = HANDSHAKE_VERSIONS[0]
_NATIVE = {"application_type": "native"}
_CONSENT = {"prompt": "consent"}

PROFILES: tuple[Profile, ...] = (
    Profile(
        name="claude-code",
        title="Claude Code",
        opening=("discover",),
        version=LATEST_STATELESS,
        agent="claude-code/2.1 (cli)",
        registration=_NATIVE,
        document="https://claude.ai/oauth/claude-code-client-metadata",
        early=300,
        stateless=True,
    ),
    Profile(
        name="codex",
        title="Codex",
        opening=("GET", "DELETE"),
        version=_FIRST,
        agent="codex-cli",
        redirects=("http://127.0.0.1:{port}/callback",),
        registration=_NATIVE,
        document="https://chatgpt.com/oauth/codex/client.json",
    ),
    Profile(
        name="opencode",
        title="opencode",
        redirects=("http://127.0.0.1:19876/mcp/oauth/callback",),
        registration={"client_uri": "https://opencode.ai"},
        document="https://opencode.ai/oauth/opencode/client.json",
    ),
    Profile(
        name="gemini-cli",
        title="Gemini CLI",
        opening=("initialize", "HEAD"),
        strictness="exact",
        needs_iss=True,
        redirects=("http://localhost:{port}/oauth/callback",),
        early=300,
    ),
    Profile(
        name="qwen-code",
        title="Qwen Code",
        opening=("initialize", "HEAD"),
        redirects=("http://localhost:7777/oauth/callback",),
        registration={"code_challenge_method": ["S256"]},
    ),
    Profile(
        name="copilot-cli",
        title="Copilot CLI",
        opening=("discover",),
        version=LATEST_STATELESS,
        agent="",
        strictness="any",
        redirects=("http://127.0.0.1:{port}/",),
        registration={"scope": None},
        document="https://github.com/copilot/cli/client-metadata.json",
        slash=True,
        stateless=True,
    ),
    Profile(
        name="vscode",
        title="VS Code",
        strictness="exact",
        redirects=(
            "https://insiders.vscode.dev/redirect",
            "https://vscode.dev/redirect",
            "http://127.0.0.1/",
            "http://127.0.0.1:33418/",
        ),
        uses="http://127.0.0.1:33418/",
        registration={**_NATIVE, "grant_types": ["authorization_code", "refresh_token", DEVICE_CODE]},
        document="https://vscode.dev/oauth/client-metadata.json",
        state="vscode://dynamicauthprovider/{port}/redirect?nonce%3D" + "abcDEF%3D%26" * 24,
    ),
    Profile(
        name="vscode-web",
        title="VS Code in a browser",
        strictness="exact",
        redirects=("https://vscode.dev/redirect", "http://127.0.0.1/", "http://127.0.0.1:33418/"),
        registration=_NATIVE,
        state="https://vscode.dev/callback?vscode-reqid%3D1%26vscode-scheme%3Dcode-oss" + "%2525" * 50,
        page="https://vscode.dev",
    ),
    Profile(
        name="cursor",
        title="Cursor",
        redirects=(
            "cursor://anysphere.cursor-mcp/oauth/callback",
            "https://www.cursor.com/agents/mcp/oauth/callback",
            "http://localhost:8787/callback",
        ),
    ),
    Profile(
        name="claude-ai",
        title="claude.ai and Claude Desktop",
        opening=("GET", "initialize"),
        agent="Claude-User",
        challenge=True,
        redirects=(
            "https://claude.ai/api/mcp/auth_callback",
            "https://claude.com/api/mcp/auth_callback",
        ),
        early=300,
    ),
    Profile(
        name="chatgpt",
        title="ChatGPT",
        agent="",
        challenge=True,
        redirects=(
            "https://chatgpt.com/connector/oauth/{port}",
            "https://chatgpt.com/connector_platform_oauth_redirect",
        ),
    ),
    Profile(
        name="mcp-remote",
        title="mcp-remote",
        opening=("GET", "GET"),
        redirects=("http://localhost:{port}/oauth/callback",),
        registration={
            "client_uri": "https://github.com/geelen/mcp-remote",
            "software_id": "2e6dc280-f3c3-4e01-99a7-8181dbd1d23d",
            "software_version": "0.15.1",
        },
        refresh={"scope": "{scope}"},
        early=300,
    ),
    Profile(
        name="mcporter",
        title="mcporter",
        redirects=("http://127.0.0.1:{port}/callback",),
    ),
    Profile(
        name="mcpc",
        title="mcpc",
        guesses=True,
        redirects=("http://localhost:8000/callback",),
        registration={"client_uri": "https://apify.com"},
        state="",
        refresh={"resource": None},
    ),
    Profile(
        name="inspector",
        title="MCP Inspector",
        redirects=("http://127.0.0.1:6274/oauth/callback",),
        registration={**_NATIVE, "client_uri": "https://github.com/modelcontextprotocol/inspector"},
        extra=_CONSENT,
        stateless=True,
    ),
    Profile(
        name="inspector-1",
        title="MCP Inspector 1",
        version=LATEST_HANDSHAKE,
        redirects=("http://localhost:6274/oauth/callback",),
        registration={"client_uri": "https://github.com/modelcontextprotocol/inspector"},
        page="http://localhost:6274",
    ),
    Profile(
        name="python-sdk",
        title="Python SDK",
        opening=("discover",),
        version=LATEST_STATELESS,
        agent="",
        redirects=("http://127.0.0.1:{port}/callback",),
        registration=_NATIVE,
        stateless=True,
    ),
    Profile(
        name="fastmcp",
        title="FastMCP",
        opening=("discover",),
        version=LATEST_STATELESS,
        agent="",
        registration=_NATIVE,
        extra=_CONSENT,
        looks_first=True,
        stateless=True,
    ),
    Profile(
        name="typescript-sdk",
        title="TypeScript SDK",
        registration=_NATIVE,
        stateless=True,
    ),
    Profile(
        name="typescript-sdk-1",
        title="TypeScript SDK 1",
        version=LATEST_HANDSHAKE,
    ),
)

NAMES = tuple(profile.name for profile in PROFILES)


def chosen(names: tuple[str, ...]) -> tuple[Profile, ...]:
    """The profiles with these names, all of them for none. Raises ``ValueError`` with what there is."""
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: not a client of the table; there are {', '.join(NAMES)}")
    return tuple(profile for profile in PROFILES if not names or profile.name in names)
