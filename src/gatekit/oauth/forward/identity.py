"""Who sends a request, in headers for the application behind the proxy."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from gatekit.model.people import Principal
from gatekit.model.target import Target
from gatekit.oauth.core import Core
from gatekit.oauth.userinfo import groups_of

SIGNED = "X-Gatekit-Identity"
PLAIN = (
    "X-Auth-Request-User",
    "X-Auth-Request-Email",
    "X-Auth-Request-Groups",
    "X-Auth-Request-Preferred-Username",
)
HEADERS = (SIGNED, *PLAIN)
"""All of them are in every answer that lets a request through, empty where there is nothing to say: a proxy
copies what is there over what the client sent, and leaves alone what is not."""
LIFETIME = 60
"""Seconds. Every request gets a new one."""

_OURS = frozenset(name.lower() for name in HEADERS)
_KEPT = " !#$&'()*+-./:;<=>?@[]^_`{|}~"
"""What stays as it is in a plain header: ASCII without ``%``, ``,``, quotes and backslash."""


async def identity_headers(
    core: Core, person: Principal, target: Target, auth_time: int | None, client_id: str
) -> dict[str, str]:
    """The signed header is what an application should read: nobody but us can write it, and it is good for
    this application alone. The plain ones are for programs that know nothing better."""
    groups = groups_of(core, person)
    email = person.email if person.email and person.email_verified else ""
    now = core.now()
    claims: dict[str, Any] = {
        "iss": core.settings.issuer,
        "aud": target.url,
        "sub": person.id,
        "iat": now,
        "exp": now + LIFETIME,
        "preferred_username": person.username,
        "name": person.display_name or person.username,
        "groups": groups,
    }
    if email:
        claims |= {"email": email, "email_verified": True}
    if auth_time is not None:
        claims["auth_time"] = auth_time
    if client_id:
        claims["client_id"] = client_id
    return {
        SIGNED: await core.statements.sign("identity", claims),
        PLAIN[0]: _plain(person.id),
        PLAIN[1]: _plain(email),
        PLAIN[2]: ",".join(map(_plain, groups)),
        PLAIN[3]: _plain(person.username),
    }


def smuggled(names: list[bytes]) -> str:
    """The first header whose name only *becomes* one of ours: ``X_Auth_Request_User`` is the same variable as
    ``X-Auth-Request-User`` to every WSGI, CGI and PHP program, and no proxy writes over it (checklist T10).
    Empty if there is none."""
    for raw in names:
        name = raw.decode("latin-1").lower()
        if "_" in name and name.replace("_", "-") in _OURS:
            return name
    return ""


def _plain(text: str) -> str:
    """Header values are ASCII (RFC 9110 §5.5); everything else is percent-encoded as UTF-8."""
    return quote(text, safe=_KEPT)
