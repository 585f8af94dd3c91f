"""One SAML connection as the sign-in side sees it. Implements ``identity.ports.PostingProvider`` and
``LogoutPartner``."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence

import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa
from msgspec import Struct

from gatekit.errors import SamlRefused, SignInRefused
from gatekit.identity.ports import Ended, Leg
from gatekit.identity.saml.facts import Upstream, identity_of, session_key
from gatekit.identity.saml.judge import Expected
from gatekit.identity.saml.keys import SamlKeys
from gatekit.identity.saml.logout import Asked, read_request, read_response
from gatekit.identity.saml.metadata import Provider
from gatekit.identity.saml.names import POST, REDIRECT, SUCCESS
from gatekit.identity.saml.own import own_metadata
from gatekit.identity.saml.request import (
    authn_request,
    logout_request,
    logout_response,
    posted,
    redirect_url,
    signed,
)
from gatekit.identity.saml.response import Accepted, Trust, read
from gatekit.identity.saml.source import Source
from gatekit.model.connections import AttributeNames
from gatekit.model.people import ExternalIdentity
from gatekit.model.ports import Clock, Entropy
from gatekit.store.ports import Replays

ANSWER, STATE = "SAMLResponse", "RelayState"
REPLAYS, LOGOUTS = "saml-assertion", "saml-logout"
PARTIAL = "urn:oasis:names:tc:SAML:2.0:status:PartialLogout"


class SamlSettings(Struct, frozen=True, kw_only=True):
    """One connection. Addresses are ours, made from the public URL and never from a request."""

    name: str
    title: str
    entity_id: str
    acs: str
    slo: str
    subject: str = "persistent"
    """``persistent``, ``name_id`` or the name of an attribute."""
    name_id_format: str = ""
    """Asked for; empty: the provider's choice."""
    contexts: tuple[str, ...] = ()
    force: bool = False
    """Ask the provider to ask the person again."""
    signs_requests: bool = True
    idp_initiated: bool = False
    verified_email: bool = False
    single_logout: bool = False
    """Whether signing out here also ends the session there."""
    names: AttributeNames = AttributeNames()


class _Secret(Struct):
    state: str
    request: str | None
    """None: nothing was asked, the provider began."""


class SamlProvider:
    """See ``identity.ports``."""

    def __init__(
        self,
        settings: SamlSettings,
        source: Source,
        keys: SamlKeys,
        replays: Replays,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._settings = settings
        self._source = source
        self._keys = keys
        self._replays = replays
        self._clock = clock
        self._entropy = entropy

    @property
    def name(self) -> str:
        return self._settings.name

    @property
    def title(self) -> str:
        return self._settings.title

    @property
    def answer_field(self) -> str:
        return ANSWER

    @property
    def state_field(self) -> str:
        return STATE

    async def begin(self, callback_url: str) -> Leg:  # noqa: ARG002  (answers come to ``acs``)
        settings = self._settings
        provider = await self._source.current()
        endpoint = provider.endpoint(REDIRECT) or provider.endpoint(POST)
        if endpoint is None:  # ``metadata`` refuses such a document
            raise SamlRefused("metadata", "no place to send people to")
        secret = _Secret(state=self._entropy.token("gk_ss_"), request=self._entropy.token("_", 24))
        message = authn_request(
            ident=secret.request or "",
            now=self._clock.now(),
            issuer=settings.entity_id,
            destination=endpoint.location,
            acs=settings.acs,
            name_id_format=settings.name_id_format,
            contexts=settings.contexts,
            force=settings.force,
        )
        signs = settings.signs_requests or provider.wants_signed_requests
        key = await self._keys.signing() if signs else None
        if endpoint.binding == POST:
            encoded = b64encode(signed(message, key) if key else message).decode("ascii")
            return Leg(endpoint.location, _written(secret), (("SAMLRequest", encoded), (STATE, secret.state)))
        url = redirect_url(endpoint.location, "SAMLRequest", message, secret.state, key)
        return Leg(url, _written(secret))

    def unasked(self) -> Leg | None:
        if not self._settings.idp_initiated:
            return None
        return Leg("", _written(_Secret(state=self._entropy.token("gk_ss_"), request=None)))

    async def complete(
        self,
        params: Mapping[str, str],
        secret: str,
        callback_url: str,  # noqa: ARG002
    ) -> ExternalIdentity:
        kept = msgspec.json.decode(secret, type=_Secret)
        data = posted(params.get(ANSWER, ""))
        accepted = await self._read(data, kept.request)
        settings = self._settings
        identity = identity_of(
            accepted,
            self.name,
            settings.subject,
            verified=settings.verified_email,
            names=settings.names,
        )
        await self._only_once(REPLAYS, f"{accepted.issuer}\0{accepted.assertion_id}", accepted.good_until)
        return identity

    async def tend(self) -> None:
        await self._source.tend()

    def notices(self) -> list[str]:
        """What ends soon, in words: certificates, the metadata."""
        return self._source.notices()

    # -- metadata and logout ---------------------------------------------------------------------------------

    async def metadata(self) -> bytes:
        settings = self._settings
        signing, reading = await self._keys.pairs("saml-signing"), await self._keys.pairs("saml-reading")
        return own_metadata(
            entity_id=settings.entity_id,
            acs=settings.acs,
            slo=settings.slo,
            signing=[pair.certificate for pair in signing],
            reading=[pair.certificate for pair in reading],
            signs_requests=settings.signs_requests,
            name_id_format=settings.name_id_format,
        )

    async def ended(self, query: str) -> Ended:
        provider = await self._source.current()
        asked = read_request(query, provider, self._settings.slo, self._clock.now())
        await self._only_once(LOGOUTS, f"{provider.entity_id}\0{asked.id}", asked.good_until)
        by_name = self._settings.subject in ("persistent", "name_id")
        return Ended(
            sessions=tuple(session_key(asked.name, index) for index in asked.indices),
            issuer=provider.entity_id,
            subject=asked.name.value if by_name and not asked.indices else "",
            answer=asked,
        )

    async def receipt(self, asked: object, *, complete: bool) -> str:
        assert isinstance(asked, Asked)
        provider = await self._source.current()
        endpoint = provider.endpoint(REDIRECT, sign_out=True)
        if endpoint is None:
            raise SamlRefused("metadata", "no SingleLogoutService by HTTP-Redirect to answer to")
        message = logout_response(
            ident=self._entropy.token("_", 24),
            now=self._clock.now(),
            issuer=self._settings.entity_id,
            destination=endpoint.response_location,
            in_response_to=asked.id,
            status=SUCCESS if complete else PARTIAL,
        )
        key = await self._keys.signing()
        return redirect_url(endpoint.response_location, "SAMLResponse", message, asked.relay_state, key)

    async def leave(self, upstream: str) -> str:
        provider = await self._source.current()
        endpoint = provider.endpoint(REDIRECT, sign_out=True)
        if endpoint is None or not self._settings.single_logout:
            return ""
        who = msgspec.json.decode(upstream, type=Upstream)
        message = logout_request(
            ident=self._entropy.token("_", 24),
            now=self._clock.now(),
            issuer=self._settings.entity_id,
            destination=endpoint.location,
            name_id=who.name_id,
            name_format=who.name_format,
            session="",
        )
        return redirect_url(endpoint.location, "SAMLRequest", message, "", await self._keys.signing())

    async def left(self, query: str) -> None:
        read_response(query, await self._source.current(), self._settings.slo, self._clock.now())

    # -- parts -----------------------------------------------------------------------------------------------

    async def _read(self, data: bytes, request: str | None) -> Accepted:
        """Judge it; once more with newer metadata if its key is not known (rollover, checklist S8)."""
        reading = [pair.private for pair in await self._keys.pairs("saml-reading")]
        try:
            return self._judge(data, await self._source.current(), reading, request)
        except SamlRefused as refused:
            if refused.reason != "key" or not await self._source.renew():
                raise
        return self._judge(data, await self._source.current(), reading, request)

    def _judge(
        self, data: bytes, provider: Provider, reading: Sequence[rsa.RSAPrivateKey], request: str | None
    ) -> Accepted:
        trust = Trust(signing=provider.keys, decrypting=reading)
        return read(data, trust, self._expected(provider, request))

    def _expected(self, provider: Provider, request: str | None) -> Expected:
        if request is None and not self._settings.idp_initiated:
            raise SignInRefused("Start the sign-in here.", "saml unsolicited: not allowed any more")
        return Expected(
            issuer=provider.entity_id,
            audience=self._settings.entity_id,
            acs=self._settings.acs,
            now=self._clock.now(),
            request=request,
            contexts=self._settings.contexts,
        )

    async def _only_once(self, purpose: str, key: str, until: float) -> None:
        now = self._clock.now()
        if not await self._replays.first(purpose, key, int(until) + 1, int(now)):
            raise SamlRefused("replay", "this message was used before")


def _written(secret: _Secret) -> str:
    return msgspec.json.encode(secret).decode("ascii")
