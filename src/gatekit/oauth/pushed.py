"""Pushed authorization requests (RFC 9126): a client hands over its request itself, the browser only a name.

So nobody who holds the browser can read or change what is asked, and what is wrong is said to the client and
not to a person. A name may be opened again and again until a sign-in that came from it ends, because people
reload, and some clients probe the address before they open it; one sign-in at most ends with a code.
"""

from __future__ import annotations

import json
import math

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatekit.errors import InvalidProof, InvalidRequest, PageProblem, TooManyRegistrations
from gatekit.model.oauth import Client, PushedRequest
from gatekit.oauth.client_metadata import REQUIRE_PUSHED, demands
from gatekit.oauth.clients import ClientAuthentication
from gatekit.oauth.core import Core
from gatekit.oauth.http import Form, api_route, form, json_answer, place
from gatekit.oauth.readmission import Readmission
from gatekit.oauth.request import read_request, read_target
from gatekit.platform.limits import KeyedBuckets, TokenBucket
from gatekit.platform.vault import token_hash

PATH = "/par"
URI_PREFIX = "urn:ietf:params:oauth:request_uri:"
MAX_BYTES = 8 * 1024
"""Of what is kept; a request that went through a browser could not be longer either."""

_SECRETS = frozenset(("client_secret", "client_assertion", "client_assertion_type"))
"""How the client proved who it is; none of it is part of the request (RFC 9126 §2.1)."""


class Opened(Struct, frozen=True):
    """A pushed request that a browser brought the name of."""

    form: Form
    uri_hash: str


class Pushed:
    """POST /par, and the other end of it at the authorization endpoint."""

    def __init__(self, core: Core, clients: ClientAuthentication) -> None:
        self._core = core
        self._clients = clients
        self._readmission = Readmission(core)
        self._budget = KeyedBuckets(core.settings.authorize_per_address, core.services.clock)
        self._everybody = TokenBucket(core.settings.pushed_global, core.services.clock)

    def routes(self) -> list[Route]:
        return [api_route(PATH, self.push, ["POST"])]

    async def push(self, request: Request) -> Response:
        """RFC 9126 §2. Raises ``OAuthError``."""
        # Every request writes a row of a size that its sender chooses.
        if wait := self._budget.take(place(request)) or self._everybody.take():
            raise TooManyRegistrations(math.ceil(wait), "authorization requests")
        fields = await form(request, min(MAX_BYTES, self._core.settings.form_max_bytes))
        await self._readmission.consider(request, fields)
        client = await self._clients.authenticate(request, fields)
        # RFC 9126 §2.1: request_uri MUST NOT be provided. Signed request objects are not offered.
        if any(fields.get(name) is not None for name in ("request", "request_uri")):
            raise InvalidRequest("a pushed request holds neither request_uri nor request")
        asked = self._bound(_asked(fields, client), await self._core.proofs.offered(request, PATH))
        await self._check(asked)
        return await self._keep(asked, client)

    async def opened(self, form: Form) -> Opened | None:
        """The request that ``form`` names, None if it names none.

        Raises ``PageProblem``: without the request nobody knows where an answer could go.
        """
        names = form.fields.get("request_uri", ())
        if not any(names):
            return None
        now = self._core.now()
        found = None
        if len(names) == 1 and names[0].startswith(URI_PREFIX):
            found = await self._core.store.pushed_requests.get(token_hash(names[0]), now)
        # RFC 9126 §2.2: bound to the client that pushed it.
        if found is None or form.fields.get("client_id") != (found.client_id,):
            raise PageProblem(
                400,
                "This sign-in has ended",
                "It took too long to begin, it was finished already, or it belongs to another application.",
                "Go back to your application and start the sign-in again.",
                detail="request_uri unknown, used, expired, or another client's",
            )
        fields: dict[str, tuple[str, ...]] = {}
        for name, value in json.loads(found.parameters):
            fields[name] = (*fields.get(name, ()), value)
        # RFC 9101 §5: nothing that stands beside request_uri counts.
        return Opened(Form(fields), found.uri_hash)

    def check_required(self, client: Client) -> None:
        """Raise ``InvalidRequest`` if a request of ``client`` must be pushed (RFC 9126 §5, §6)."""
        if self._core.settings.require_pushed or demands(client, REQUIRE_PUSHED):
            raise InvalidRequest("authorization requests must be pushed first, see RFC 9126")

    def _bound(self, asked: Form, jkt: str) -> Form:
        """RFC 9449 §10.1: a proof that comes with the request binds the code as ``dpop_jkt`` does."""
        if not jkt:
            return asked
        if asked.get("dpop_jkt") not in (None, jkt):
            raise InvalidProof("the proof is made with another key than dpop_jkt names")
        return Form({**asked.fields, "dpop_jkt": (jkt,)})

    async def _check(self, asked: Form) -> None:
        """RFC 9126 §2.3: the very checks of the authorization endpoint, answered here."""
        try:
            target = await read_target(asked, self._core.store.clients)
        except PageProblem as problem:
            raise InvalidRequest(problem.message, problem.detail) from problem
        read_request(asked, target, self._core.resources)

    async def _keep(self, asked: Form, client: Client) -> Response:
        uri = self._core.services.entropy.token(URI_PREFIX)
        now, lifetime = self._core.now(), self._core.settings.pushed_request_lifetime
        pairs = [(name, value) for name, values in asked.fields.items() for value in values]
        await self._core.store.pushed_requests.add(
            PushedRequest(
                uri_hash=token_hash(uri),
                client_id=client.id,
                parameters=json.dumps(pairs),
                created_at=now,
                expires_at=now + lifetime,
            )
        )
        return json_answer({"request_uri": uri, "expires_in": lifetime}, 201)


def _asked(fields: Form, client: Client) -> Form:
    """What is asked, without how the client proved who it is; it may have said that in a header alone."""
    asked = {name: values for name, values in fields.fields.items() if name not in _SECRETS}
    return Form({**asked, "client_id": (client.id,)})
