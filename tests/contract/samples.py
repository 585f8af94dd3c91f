"""Rows to test with; every field that is not named gets a plain value."""

from __future__ import annotations

from typing import Any

from gatekit.model.oauth import (
    ApiKey,
    AuthorizationCode,
    Client,
    Consent,
    DeviceAuthorization,
    Grant,
    PushedRequest,
    RefreshToken,
    RelyingSession,
    SigningKey,
    Transaction,
)
from gatekit.model.people import BrowserSession, Group, Identity, Invite, User

NOW = 1_790_000_000
LATER = NOW + 600
SERVER = "https://gate.example.com/s/files/mcp"


def user(name: str = "alice", **fields: Any) -> User:
    given: dict[str, Any] = {
        "id": f"usr_{name}",
        "connection": "local",
        "issuer": "local",
        "subject": f"usr_{name}",
        "username": name,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return User(**(given | fields))


def group(name: str = "dev", **fields: Any) -> Group:
    given: dict[str, Any] = {"id": f"grp_{name}", "name": name, "created_at": NOW, "updated_at": NOW}
    return Group(**(given | fields))


def identity(subject: str = "583231", **fields: Any) -> Identity:
    given: dict[str, Any] = {
        "user_id": "usr_alice",
        "connection": "github",
        "issuer": "https://github.com",
        "subject": subject,
        "login": "octocat",
        "created_at": NOW,
    }
    return Identity(**(given | fields))


def client(ident: str = "cli_1", **fields: Any) -> Client:
    given: dict[str, Any] = {
        "id": ident,
        "name": "Inspector “β”",
        "redirect_uris": ("http://127.0.0.1:1/callback", "https://app.example.com/cb"),
        "created_at": NOW,
    }
    return Client(**(given | fields))


def grant(ident: str = "grt_1", **fields: Any) -> Grant:
    given: dict[str, Any] = {
        "id": ident,
        "user_id": "usr_alice",
        "client_id": "cli_1",
        "resources": (SERVER,),
        "scopes": ("mcp", "offline_access"),
        "auth_time": NOW,
        "created_at": NOW,
        "expires_at": NOW + 86_400,
    }
    return Grant(**(given | fields))


def code(ident: str = "code-1", **fields: Any) -> AuthorizationCode:
    given: dict[str, Any] = {
        "code_hash": ident,
        "grant_id": "grt_1",
        "client_id": "cli_1",
        "redirect_uri": "http://127.0.0.1:1/callback",
        "code_challenge": "challenge",
        "resources": (SERVER,),
        "created_at": NOW,
        "expires_at": LATER,
    }
    return AuthorizationCode(**(given | fields))


def refresh(ident: str = "rt-1", **fields: Any) -> RefreshToken:
    given: dict[str, Any] = {
        "token_hash": ident,
        "grant_id": "grt_1",
        "client_id": "cli_1",
        "created_at": NOW,
        "expires_at": LATER,
    }
    return RefreshToken(**(given | fields))


def api_key(ident: str = "key_1", **fields: Any) -> ApiKey:
    given: dict[str, Any] = {
        "id": ident,
        "token_hash": f"hash of {ident}",
        "user_id": "usr_alice",
        "name": "laptop",
        "servers": ("files",),
        "hint": "wxyz",
        "created_at": NOW,
        "expires_at": LATER,
    }
    return ApiKey(**(given | fields))


def invite(ident: str = "inv-1", **fields: Any) -> Invite:
    given: dict[str, Any] = {
        "token_hash": ident,
        "user_id": "usr_alice",
        "created_at": NOW,
        "expires_at": LATER,
    }
    return Invite(**(given | fields))


def session(ident: str = "bs-1", **fields: Any) -> BrowserSession:
    given: dict[str, Any] = {
        "token_hash": ident,
        "user_id": "usr_alice",
        "auth_time": NOW,
        "created_at": NOW,
        "expires_at": LATER,
    }
    return BrowserSession(**(given | fields))


def transaction(ident: str = "txn-1", **fields: Any) -> Transaction:
    given: dict[str, Any] = {
        "id_hash": ident,
        "browser_hash": "browser",
        "client_id": "cli_1",
        "redirect_uri": "http://127.0.0.1:1/callback",
        "state": None,
        "code_challenge": "challenge",
        "scopes": ("mcp",),
        "resources": (),
        "created_at": NOW,
        "expires_at": LATER,
    }
    return Transaction(**(given | fields))


def pushed(ident: str = "par-1", **fields: Any) -> PushedRequest:
    given: dict[str, Any] = {
        "uri_hash": ident,
        "client_id": "cli_1",
        "parameters": '[["response_type","code"]]',
        "created_at": NOW,
        "expires_at": LATER,
    }
    return PushedRequest(**(given | fields))


def consent(**fields: Any) -> Consent:
    given: dict[str, Any] = {
        "user_id": "usr_alice",
        "client_id": "cli_1",
        "redirect_uri": "http://127.0.0.1:1/callback",
        "scopes": ("mcp", "offline_access"),
        "resources": (SERVER,),
        "created_at": NOW,
    }
    return Consent(**(given | fields))


def device(ident: str = "dev-1", **fields: Any) -> DeviceAuthorization:
    given: dict[str, Any] = {
        "device_hash": ident,
        "user_code_hash": f"user-{ident}",
        "client_id": "cli_1",
        "scopes": ("mcp",),
        "resources": (SERVER,),
        "address": "198.51.100.7",
        "interval": 5,
        "created_at": NOW,
        "expires_at": LATER,
    }
    return DeviceAuthorization(**(given | fields))


def signing_key(ident: str = "kid-1", **fields: Any) -> SigningKey:
    given: dict[str, Any] = {
        "kid": ident,
        "purpose": "access_token",
        "algorithm": "ES256",
        "public_jwk": "{}",
        "private_sealed": "v1.sealed",
        "created_at": NOW,
    }
    return SigningKey(**(given | fields))


def relying(grant_id: str = "grt_1", **fields: Any) -> RelyingSession:
    given: dict[str, Any] = {
        "grant_id": grant_id,
        "session_hash": "session-1",
        "client_id": "cli_1",
        "user_id": "usr_alice",
        "nonce": "n “1”",
        "created_at": NOW,
    }
    return RelyingSession(**(given | fields))
