"""Carrying an answer back to the client's redirect URI: always with ``iss`` (RFC 9207)."""

from __future__ import annotations

from starlette.responses import Response

from gatekit.errors import AccessDenied, OAuthError, PageProblem
from gatekit.oauth.http import redirect
from gatekit.oauth.redirects import answer, is_loopback
from gatekit.oauth.request import Target


def success(issuer: str, target: Target, code: str) -> Response:
    """RFC 6749 §4.1.2."""
    return _send(issuer, target, [("code", code)])


def error(issuer: str, target: Target, failure: OAuthError) -> Response:
    """RFC 6749 §4.1.2.1. For an answer that a person has asked for, e.g. by pressing "deny"."""
    params = [("error", failure.error)]
    if failure.description:
        params.append(("error_description", failure.description))
    return _send(issuer, target, params)


def early_error(issuer: str, target: Target, failure: OAuthError) -> Response:
    """An error before anybody agreed to anything. Raises ``PageProblem`` for a client nobody vouched for.

    RFC 9700 §4.11.2: whoever registers a client could otherwise use our address to send people to theirs
    (checklist D4). A redirect to the person's own machine leads nowhere new, so that is exempt.
    """
    if trusted(target):
        return error(issuer, target, failure)
    denied = isinstance(failure, AccessDenied)
    raise PageProblem(
        403 if denied else 400,
        "This is not open to you" if denied else "The application sent a request that cannot be used",
        failure.description or failure.error,
        "Close this window, go back to the application and try again.",
        detail=f"{failure.error}: {failure.detail}",
    )


def trusted(target: Target) -> bool:
    """Whether an administrator entered the client, or a person once finished a login with it."""
    client = target.client
    return (
        client.source == "configured" or client.last_used_at is not None or is_loopback(target.redirect_uri)
    )


def _send(issuer: str, target: Target, params: list[tuple[str, str]]) -> Response:
    if target.state is not None:
        params.append(("state", target.state))
    params.append(("iss", issuer))
    return redirect(answer(target.redirect_uri, params))
