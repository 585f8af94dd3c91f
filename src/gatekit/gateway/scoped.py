"""What the token's own scopes leave of its person's rights (RFC 6750 §3.1 ``insufficient_scope``).

Asked after the policy has said yes, so that a challenge is only sent where a new consent helps: what the
policy denies is denied with every token, and a client that was told otherwise would sign in for ever.
"""

from __future__ import annotations

from collections.abc import Iterable

from gatekit.errors import InsufficientScope
from gatekit.gateway.inbound import Refused
from gatekit.gateway.ports import Door
from gatekit.gateway.reply import Reply
from gatekit.model.access import Access
from gatekit.model.call import Call, Fault
from gatekit.model.decision import Deny
from gatekit.protocol import methods
from gatekit.protocol.jsonrpc import Message, Notification

DENIED = Deny("the token is for reading only", "scope")
_TEXT = "this access token is for reading only: sign in again and allow calling tools"
_FINAL = "this credential is for reading only"
_CODE = -31009


def lacking(call: Call) -> bool:
    """Whether the call does something, and the token is for reading only."""
    return not call.access.may_call and methods.spec(call.method).acts


def challenge(door: Door, call: Call, reply: Reply) -> Fault:
    """Put the challenge on the answer, and return what the answer says. It names every scope that there is
    for calls, because clients ask for just what they are told. There is none for who would get no more."""
    if not call.access.more:
        return Fault(_CODE, _FINAL, status=InsufficientScope.status)
    error = InsufficientScope(_TEXT)
    if call.access.jkt:
        error.schemes = ("DPoP",)
    header = door.challenge(error, call.server)
    reply.add_headers((b"www-authenticate", header.encode("latin-1", "replace")))
    return Fault(_CODE, _TEXT, status=InsufficientScope.status)


def check(access: Access, messages: Iterable[Message]) -> None:
    """Raises InsufficientScope or Refused for a notification that this gateway does not know, from a token
    that is for reading: what the server makes of it is anybody's guess."""
    if access.may_call:
        return
    if any(isinstance(one, Notification) and methods.spec(one.method).acts for one in messages):
        if not access.more:  # a challenge would send somebody round who gets no more
            raise Refused(403, _FINAL)
        raise InsufficientScope(_TEXT)
