"""The whole exception tree. Wire codes and HTTP statuses are class data, never decided where one is caught.

::

    GatekitError
    ├── ConfigError                      the file is wrong; carries every fault (exit 2)
    ├── PluginError                      a plugin cannot be loaded or made; says which and why
    ├── StoreError                       the database cannot be used
    │   ├── StoreLocked
    │   ├── StoreCorrupt
    │   └── StoreFull
    ├── VaultError                       a sealed value or the master key cannot be used
    ├── AuditUnavailable                 a record cannot be made safe, so nothing is answered
    ├── AdminError                       an operator asked for something impossible (exit 1)
    │   ├── NotFound
    │   ├── Conflict
    │   │   └── Outpaced                 somebody else was faster
    │   ├── InvalidInput
    │   └── Forbidden                    whoever asked may not do that
    ├── ApiProblem                       an answer of the REST interface (RFC 9457)
    │   ├── BadApiRequest · KeyRefused · NotPermitted · NoSuchThing · MethodNotAllowed · InConflict
    │   ├── PreconditionFailed · BodyTooLarge · MediaTypeRefused · NotAcceptable · TooManyRequests
    │   └── ApiUnavailable
    ├── IdentityError
    │   ├── SignInRefused                this person may not come in
    │   └── ProviderFailed               the identity provider answered nonsense or nothing
    │       └── SamlRefused              its SAML message, with the one reason why
    ├── ChannelError                     a local client's other end cannot be used; the text says what to do
    ├── OutboundRefused                  an address or answer that outgoing HTTP does not accept
    │   └── OutboundUnreachable · OutboundBroken · OutboundTooLarge
    ├── ClientDocumentRefused            a client's metadata document cannot be used
    ├── ProofRefused                     a DPoP proof cannot be used; says so to whoever asked for it
    ├── ClientWouldFail                  the doctor found what keeps a client out
    ├── OAuthError                       RFC 6749 §5.2 and friends
    │   ├── InvalidRequest · InvalidClient · InvalidGrant · UnauthorizedClient
    │   ├── UnsupportedGrantType · UnsupportedResponseType · InvalidScope · InvalidTarget
    │   ├── AccessDenied · LoginRequired · ServerError
    │   ├── ConsentRequired · UnmetAuthenticationRequirements · RequestNotSupported · PayloadTooLarge
    │   ├── AuthorizationPending · SlowDown · ExpiredToken                        (RFC 8628 §3.5)
    │   ├── InvalidProof · ProofNonceWanted                                       (RFC 9449 §5, §8)
    │   ├── InvalidRedirectUri · InvalidClientMetadata · TooManyRegistrations     (RFC 7591 §3.2.2)
    │   └── ForeignTokenInvalid · KeysUnavailable                     a JWT that somebody else signed
    ├── ScimError                        a SCIM error answer (RFC 7644 §3.12)
    │   ├── ScimSyntax · ScimFilter · ScimPath · ScimNoTarget · ScimValue · ScimMutability · ScimTooMany
    │   ├── ScimTaken · ScimUnresolved · ScimUnknown · ScimForbidden · ScimStale · ScimTooLarge
    │   └── ScimBusy · ScimNotOffered · ScimCursor · ScimCount                    (RFC 9865 §2.1)
    ├── ForwardRefused                   a reverse proxy's question that gets no answer
    ├── PageProblem                      a page that ends an interaction in the browser
    ├── BearerError                      RFC 6750 §3
    │   ├── TokenMissing · TokenInvalid · TokenMalformed
    │   ├── ProofInvalid                                                          (RFC 9449 §7.1, §9)
    │   ├── InsufficientScope · PersonRefused
    │   └── CheckUnavailable
    ├── ProtocolFault                    a JSON-RPC error answer
    │   ├── ParseFault · InvalidRequestFault · MethodNotFound · InvalidParams
    │   ├── HeaderMismatch · UnsupportedVersion                                (MCP 2026-07-28)
    │   ├── SessionMissing · SessionUnknown · Blocked · QuotaReached
    │   └── UpstreamFault
    │       ├── UpstreamDown · UpstreamBusy · UpstreamTimeout · AnswerTooLarge · RecordingFailed
    │       └── PersonIncomplete · GatewayStopping
    └── LinkError                        inside ``upstream``: what a Link's owner task reports
        ├── SpawnFailed · LinkClosed · LinkTimeout · LineTooLong · BadAnswer
        ├── AttributeMissing · RemoteRefused
        └── Busy
            └── PoolFull · LinkBusy
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal


class GatekitError(Exception):
    """Root of everything that Gatekit raises on purpose."""


# -- operator-facing ---------------------------------------------------------------------------------------


class ConfigError(GatekitError):
    """The configuration cannot be used. ``faults`` holds one printable line per fault, all of them."""

    exit_code: ClassVar[int] = 2

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults: tuple[str, ...] = tuple(faults)
        super().__init__("\n".join(self.faults))


class PluginError(GatekitError):
    """A plugin cannot be loaded, or its options make no sense; the text is one line for the operator."""

    exit_code: ClassVar[int] = 2


class StoreError(GatekitError):
    """The database cannot be used; the message says what to do about it."""

    exit_code: ClassVar[int] = 1


class StoreLocked(StoreError):
    """Another process holds the database."""


class StoreCorrupt(StoreError):
    """The file is not a readable database."""


class StoreFull(StoreError):
    """There is no room to write."""


class VaultError(GatekitError):
    """A sealed value does not open, or the master key cannot be used; the message says what to do."""

    exit_code: ClassVar[int] = 1


class AuditUnavailable(GatekitError):
    """A record could not be made safe. The call it describes must be refused (fail closed)."""


class AdminError(GatekitError):
    """An administrative use case could not be carried out; the message is for the operator."""

    exit_code: ClassVar[int] = 1


class NotFound(AdminError):
    """The named thing does not exist."""


class Conflict(AdminError):
    """The thing exists already, or changed meanwhile."""


class Outpaced(Conflict):
    """It is not any more what it was when the change was thought of; another look may help."""


class InvalidInput(AdminError):
    """A value is not acceptable."""


class Forbidden(AdminError):
    """Whoever asked may not do that: their role, or the scopes of the key they came with."""


# -- the REST interface ------------------------------------------------------------------------------------


class ApiProblem(GatekitError):
    """What the REST interface answers instead (RFC 9457). ``detail`` is public; no secret is in it.

    ``kind`` is the last part of the problem's ``type`` and stable; ``title`` says it in words.
    """

    kind: ClassVar[str]
    title: ClassVar[str]
    status: ClassVar[int]

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(detail)


class BadApiRequest(ApiProblem):
    kind = "bad-request"
    title = "The request is not what the interface describes"
    status = 400


class KeyRefused(ApiProblem):
    """RFC 6750 §3.1 ``invalid_token``, or no key at all. Why goes to the audit, not to the caller."""

    kind = "key-refused"
    title = "A good admin key is needed"
    status = 401


class NotPermitted(ApiProblem):
    kind = "not-permitted"
    title = "The key may not do this"
    status = 403


class NoSuchThing(ApiProblem):
    kind = "not-found"
    title = "It does not exist"
    status = 404


class MethodNotAllowed(ApiProblem):
    kind = "method-not-allowed"
    title = "Not with this method"
    status = 405


class InConflict(ApiProblem):
    kind = "conflict"
    title = "It does not fit to what is there"
    status = 409


class PreconditionFailed(ApiProblem):
    """RFC 9110 §13.1.1: ``If-Match`` names another state."""

    kind = "changed-meanwhile"
    title = "It was changed meanwhile"
    status = 412


class BodyTooLarge(ApiProblem):
    kind = "too-large"
    title = "The body is too large"
    status = 413


class MediaTypeRefused(ApiProblem):
    kind = "media-type"
    title = "The body must be JSON"
    status = 415


class NotAcceptable(ApiProblem):
    """The body is as described, and a value in it cannot be."""

    kind = "invalid-input"
    title = "A value cannot be used"
    status = 422


class TooManyRequests(ApiProblem):
    """``retry_after`` is in seconds."""

    kind = "too-many"
    title = "Too many requests"
    status = 429

    def __init__(self, detail: str, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(detail)


class ApiUnavailable(ApiProblem):
    kind = "unavailable"
    title = "Not possible right now"
    status = 503


# -- identity ----------------------------------------------------------------------------------------------


class IdentityError(GatekitError):
    """Signing in failed. ``public`` may be shown to the person, ``detail`` goes to log and audit only."""

    def __init__(self, public: str, detail: str = "") -> None:
        self.public = public
        self.detail = detail or public
        super().__init__(self.detail)


class SignInRefused(IdentityError):
    """The person is known or knowable, and may not come in."""


class ProviderFailed(IdentityError):
    """The identity provider failed or answered something unusable."""


SamlReason = Literal[
    "size", "xml", "doctype", "comment", "id", "structure",
    "unsigned", "signature_form", "algorithm", "digest", "key", "decryption",
    "status", "version", "destination", "issuer", "audience", "confirmation", "recipient", "time",
    "request", "unsolicited", "replay", "subject", "context", "metadata",
]  # fmt: skip
"""What can be wrong with a SAML message; each word is explained in docs/sso/saml.md."""


class SamlRefused(ProviderFailed):
    """A SAML message that is not believed. The person sees one text for all of them: which check failed would
    help whoever forges one (SAML Profiles §4.1.4.3 leaves the answer to us)."""

    PUBLIC: ClassVar[str] = (
        "The identity provider's answer could not be accepted. Please try again; if that does not help, tell "
        "whoever runs this gateway, who finds the reason in the audit."
    )

    def __init__(self, reason: SamlReason, detail: str) -> None:
        self.reason: SamlReason = reason
        super().__init__(self.PUBLIC, f"saml {reason}: {detail}")


class LdapError(GatekitError):
    """An LDAP operation failed; the text is for log and audit."""


class DirectoryUnreachable(LdapError):
    """This server did not answer, or said that it cannot now. Another one of the same directory may."""


class DirectoryRefused(LdapError):
    """The server answered, and the answer is no: wrong credentials, no right to search, a bad filter."""


class ChannelError(GatekitError):
    """What a local (stdio) client hears when the other end of its channel cannot be reached or used."""


class OutboundRefused(GatekitError):
    """An outgoing request was refused before or while it was made (address, size, time, redirect)."""


class OutboundUnreachable(OutboundRefused):
    """No connection could be made, so nothing was sent."""


class OutboundBroken(OutboundRefused):
    """The connection broke; what was sent may have been received."""


class OutboundTooLarge(OutboundRefused):
    """The answer is larger than what the caller takes."""


class ClientWouldFail(GatekitError):
    """A known client would not get further than this (``gatekit doctor``).

    ``code`` names an entry of ``doctor.ailments.WORDS``, ``facts`` fill in its text.
    """

    def __init__(self, code: str, facts: Mapping[str, str]) -> None:
        self.code = code
        self.facts = facts
        super().__init__(code)


class ClientDocumentRefused(GatekitError):
    """A client's metadata document, or its URL, cannot be used; the text says why."""


class ProofRefused(GatekitError):
    """A DPoP proof cannot be used (RFC 9449 §4.3). ``description`` is public, ``detail`` for the log.

    ``nonce``: it lacks nothing but this (RFC 9449 §8, §9).
    """

    def __init__(self, description: str, detail: str = "", nonce: str = "") -> None:
        self.description = description
        self.detail = detail or description
        self.nonce = nonce
        super().__init__(self.detail)


# -- OAuth -------------------------------------------------------------------------------------------------


class OAuthError(GatekitError):
    """An OAuth error answer.

    ``description`` is public (error_description), ``detail`` is for the log only. ``redirectable`` tells
    whether the authorization endpoint may send it to the client's redirect URI (RFC 6749 §4.1.2.1).
    """

    error: ClassVar[str] = "server_error"
    status: ClassVar[int] = 400
    redirectable: ClassVar[bool] = True

    def __init__(self, description: str = "", detail: str = "") -> None:
        self.description = description
        self.detail = detail or description
        super().__init__(f"{self.error}: {self.detail}")


class InvalidRequest(OAuthError):
    error = "invalid_request"


class InvalidClient(OAuthError):
    error = "invalid_client"
    status = 401
    redirectable = False


class InvalidGrant(OAuthError):
    error = "invalid_grant"
    redirectable = False


class UnauthorizedClient(OAuthError):
    error = "unauthorized_client"


class UnsupportedGrantType(OAuthError):
    error = "unsupported_grant_type"
    redirectable = False


class UnsupportedResponseType(OAuthError):
    error = "unsupported_response_type"


class InvalidScope(OAuthError):
    error = "invalid_scope"


class InvalidTarget(OAuthError):
    """RFC 8707 §2: the resource is unknown or not allowed."""

    error = "invalid_target"


class AccessDenied(OAuthError):
    error = "access_denied"


class AuthorizationPending(OAuthError):
    """RFC 8628 §3.5: the person has not decided yet."""

    error = "authorization_pending"
    redirectable = False


class SlowDown(OAuthError):
    """RFC 8628 §3.5: asked too early; five seconds more from now on."""

    error = "slow_down"
    redirectable = False


class ExpiredToken(OAuthError):
    """RFC 8628 §3.5: the device code has expired."""

    error = "expired_token"
    redirectable = False


class InvalidProof(OAuthError):
    """RFC 9449 §5: the DPoP proof is missing or cannot be used."""

    error = "invalid_dpop_proof"
    redirectable = False


class ProofNonceWanted(OAuthError):
    """RFC 9449 §8: try again with a proof that holds ``nonce``."""

    error = "use_dpop_nonce"
    redirectable = False

    def __init__(self, description: str, nonce: str) -> None:
        self.nonce = nonce
        super().__init__(description)


class LoginRequired(OAuthError):
    """OpenID Connect Core §3.1.2.6: ``prompt=none`` and nobody is signed in."""

    error = "login_required"


class ConsentRequired(OAuthError):
    """OpenID Connect Core §3.1.2.6: ``prompt=none`` and the person has not agreed yet."""

    error = "consent_required"


class UnmetAuthenticationRequirements(OAuthError):
    """OpenID Connect UAR Error Code 1.0 §2; RFC 9470 §5: the sign-in is not as strong as was asked for."""

    error = "unmet_authentication_requirements"


class RequestNotSupported(OAuthError):
    """OpenID Connect Core §6.1: the parameter ``request`` is not for us."""

    error = "request_not_supported"


class PayloadTooLarge(OAuthError):
    """More than any honest client sends."""

    error = "invalid_request"
    status = 413
    redirectable = False


class ServerError(OAuthError):
    error = "server_error"
    status = 500


class InvalidRedirectUri(OAuthError):
    """RFC 7591 §3.2.2."""

    error = "invalid_redirect_uri"
    redirectable = False


class InvalidClientMetadata(OAuthError):
    """RFC 7591 §3.2.2."""

    error = "invalid_client_metadata"
    redirectable = False


class TooManyRegistrations(OAuthError):
    """The registration budget is spent; ``retry_after`` is in seconds."""

    error = "temporarily_unavailable"
    status = 429
    redirectable = False

    def __init__(self, retry_after: int, what: str = "client registrations") -> None:
        self.retry_after = retry_after
        super().__init__(f"too many {what}, try again later")


class ForeignTokenInvalid(OAuthError):
    """A JWT of somebody else, or their keys, cannot be accepted. What it was for decides what is answered:
    whoever catches this turns it into the error of their own protocol."""

    error = "invalid_grant"
    redirectable = False


class EventTokenRefused(GatekitError):
    """A security event token is not accepted; ``code`` is one of RFC 8935 §2.4, ``detail`` for the log."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class KeysUnavailable(OAuthError):
    """The keys of an issuer cannot be had now. Says nothing about the token that asked for them."""

    error = "temporarily_unavailable"
    status = 503
    redirectable = False


# -- SCIM --------------------------------------------------------------------------------------------------


class ScimError(GatekitError):
    """A SCIM error answer (RFC 7644 §3.12). The text is public."""

    status: ClassVar[int] = 400
    scim_type: ClassVar[str] = ""


class ScimSyntax(ScimError):
    """The body is no SCIM message."""

    scim_type = "invalidSyntax"


class ScimFilter(ScimError):
    scim_type = "invalidFilter"


class ScimPath(ScimError):
    scim_type = "invalidPath"


class ScimNoTarget(ScimError):
    """A path that leads nowhere."""

    scim_type = "noTarget"


class ScimValue(ScimError):
    """A value is missing or does not fit its attribute."""

    scim_type = "invalidValue"


class ScimMutability(ScimError):
    """An attempt to change what is read-only or required."""

    scim_type = "mutability"


class ScimTooMany(ScimError):
    """More results than anybody wants at once."""

    scim_type = "tooMany"


class ScimTaken(ScimError):
    """Another resource has that name."""

    status = 409
    scim_type = "uniqueness"


class ScimUnresolved(ScimError):
    """RFC 7644 §3.7.1: a reference inside a bulk request that leads nowhere."""

    status = 409


class ScimUnknown(ScimError):
    """There is no such resource, or it is not this connection's."""

    status = 404


class ScimForbidden(ScimError):
    """The gateway does not let a provider do this."""

    status = 403


class ScimStale(ScimError):
    """RFC 7644 §3.14: the resource is not what ``If-Match`` says."""

    status = 412


class ScimTooLarge(ScimError):
    """RFC 7644 §3.7.4."""

    status = 413


class ScimBusy(ScimError):
    """Too many requests; ``retry_after`` is in seconds."""

    status = 429

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__("too many requests; try again later")


class ScimNotOffered(ScimError):
    """An optional part of the protocol that is not here."""

    status = 501


class ScimCursor(ScimError):
    """RFC 9865 §2.1: a cursor that this server did not give, or not for this question."""

    scim_type = "invalidCursor"


class ScimCount(ScimError):
    """RFC 9865 §2.1."""

    scim_type = "invalidCount"


class ForwardRefused(GatekitError):
    """A proxy's question that gets no answer. ``public`` may be shown, ``detail`` is for the log."""

    def __init__(self, status: int, public: str, detail: str = "") -> None:
        self.status = status
        self.public = public
        self.detail = detail or public
        super().__init__(self.detail)


class PageProblem(GatekitError):
    """The browser's interaction ends here, with a page and never with a redirect.

    ``title``, ``message`` and ``remedy`` are shown (escaped) to the person, ``detail`` goes to the log only.
    """

    def __init__(self, status: int, title: str, message: str, remedy: str = "", detail: str = "") -> None:
        self.status = status
        self.title = title
        self.message = message
        self.remedy = remedy
        self.detail = detail or message
        super().__init__(f"{title}: {self.detail}")


# -- bearer ------------------------------------------------------------------------------------------------


class BearerError(GatekitError):
    """A resource request without a usable token (RFC 6750 §3). ``error`` empty: no credentials were sent.

    ``principal_id`` and ``principal`` name the person of a genuine token that does not count (any more).
    """

    error: str = "invalid_token"
    status: ClassVar[int] = 401
    schemes: tuple[str, ...] = ("Bearer",)
    """What the challenge speaks of; set where it is known what the client tried (RFC 9449 §7.1)."""
    nonce: str = ""
    """What the next proof must hold (RFC 9449 §9)."""
    parameters: tuple[tuple[str, str], ...] = ()
    """More for the challenge."""

    def __init__(
        self, description: str = "", detail: str = "", *, principal_id: str = "", principal: str = ""
    ) -> None:
        self.description = description
        self.detail = detail or description
        self.principal_id = principal_id
        self.principal = principal
        super().__init__(self.detail or self.error)


class TokenMissing(BearerError):
    error = ""


class TokenInvalid(BearerError):
    error = "invalid_token"


class ProofInvalid(BearerError):
    """RFC 9449 §7.1, §9: the proof that came with the access token cannot be used."""

    error = "invalid_dpop_proof"
    schemes = ("DPoP",)

    def __init__(self, refused: ProofRefused) -> None:
        super().__init__(refused.description, refused.detail)
        if refused.nonce:
            self.error = "use_dpop_nonce"
            self.nonce = refused.nonce


class TokenMalformed(BearerError):
    """Two Authorization headers, a token of absurd size: RFC 6750 §3.1 invalid_request."""

    error = "invalid_request"
    status = 400


class InsufficientScope(BearerError):
    error = "insufficient_scope"
    status = 403


class WeakSignIn(BearerError):
    """RFC 9470 §3: the token is good, and its person signed in too long ago or too weakly for this. With 403
    and not 401, because clients answer that by refreshing a token that would be no better."""

    error = "insufficient_user_authentication"
    status = 403

    def __init__(self, description: str, *, max_age: float = 0.0) -> None:
        """``max_age``: seconds; 0: how long ago does not matter."""
        super().__init__(description)
        if max_age:
            self.parameters = (("max_age", str(int(max_age))),)


class PersonRefused(BearerError):
    """A genuine token of another issuer, for a person who may not come in. No new token would change that,
    so there is no error code that would send a client for one."""

    error = ""
    status = 403


class CheckUnavailable(BearerError):
    """What the check needs cannot be had now (another issuer's keys, the audit): neither a yes nor a no."""

    error = ""
    status = 503


# -- MCP protocol ------------------------------------------------------------------------------------------


class ProtocolFault(GatekitError):
    """A JSON-RPC error. ``public`` is the wire message, ``detail`` is for log and audit only."""

    code: ClassVar[int] = -32603
    status: ClassVar[int] = 200

    def __init__(self, public: str, detail: str = "", data: Any = None) -> None:
        self.public = public
        self.detail = detail or public
        self.data = data
        self.request_id: str | int | None = None
        """JSON-RPC id to answer under; set by the decoder where it could be read (JSON-RPC 2.0 §5)."""
        super().__init__(self.detail)


class ParseFault(ProtocolFault):
    """JSON-RPC 2.0 §5.1: the body is not JSON (or not JSON that two parsers would read alike)."""

    code = -32700
    status = 400


class InvalidRequestFault(ProtocolFault):
    """JSON-RPC 2.0 §5.1: JSON, but not a request."""

    code = -32600
    status = 400


class MethodNotFound(ProtocolFault):
    code = -32601
    status = 404


class InvalidParams(ProtocolFault):
    code = -32602
    status = 400


class Withheld(InvalidParams):
    """It is in quarantine: the caller hears of it as of something that does not exist."""


class HeaderMismatch(ProtocolFault):
    """MCP 2026-07-28, Streamable HTTP: a mirrored header is missing, malformed or differs from the body."""

    code = -32020
    status = 400


class UnsupportedVersion(ProtocolFault):
    """MCP 2026-07-28: ``data`` is ``{"supported": [...], "requested": "..."}``."""

    code = -32022
    status = 400


class SessionMissing(ProtocolFault):
    """Streamable HTTP (handshake era): a request that needs ``Mcp-Session-Id`` has none."""

    code = -32600
    status = 400


class SessionUnknown(ProtocolFault):
    """Streamable HTTP (handshake era): unknown, ended, or another person's session. Always 404."""

    code = -32001
    status = 404


class Blocked(ProtocolFault):
    """A plugin has refused what was asked or answered; ``public`` is what it lets the caller know."""

    code = -31030


class QuotaReached(ProtocolFault):
    """The caller has used up what a quota allows; ``data`` says which one, and when to try again."""

    code = -31016
    status = 429

    def __init__(self, public: str, name: str, wait: int) -> None:
        """``name``: of the quota. ``wait``: seconds until the same call may pass; 0: it never will."""
        super().__init__(public, data={"limit": name} | ({"retryAfterSeconds": wait} if wait else {}))
        self.name = name
        self.wait = wait


class UpstreamFault(ProtocolFault):
    """The server behind the gateway could not answer. Codes lie outside JSON-RPC's reserved range."""

    code = -31000
    status = 200


class UpstreamDown(UpstreamFault):
    code = -31001


class UpstreamBusy(UpstreamFault):
    code = -31002


class UpstreamTimeout(UpstreamFault):
    code = -31003


class AnswerTooLarge(UpstreamFault):
    code = -31004


class RecordingFailed(UpstreamFault):
    """The audit record could not be made safe, so the answer is withheld."""

    code = -31005
    status = 503


class PersonIncomplete(UpstreamFault):
    """The server cannot be started for this person: an attribute that its environment names is missing."""

    code = -31020


class AccessEnded(UpstreamFault):
    """Whoever asked may no longer: person, client, grant or key was ended while the call ran."""

    code = -31009
    status = 401


class GatewayStopping(UpstreamFault):
    """The gateway was told to stop and takes no new calls; another replica will, or it itself in a moment."""

    code = -31013
    status = 503


# -- inside upstream ---------------------------------------------------------------------------------------


class LinkError(GatekitError):
    """What a Link's owner task reports; ``gateway`` turns it into an UpstreamFault.

    ``public`` may be told to the caller, ``detail`` (exit codes, last lines of stderr) goes to log and audit.
    """

    def __init__(self, public: str, detail: str = "") -> None:
        self.public = public
        self.detail = detail or public
        super().__init__(self.detail)


class SpawnFailed(LinkError):
    """The command does not exist, cannot be run, or exited before it answered.

    ``retry_after``: seconds until the next start is tried; 0 if it may be tried at once.
    """

    def __init__(self, public: str, detail: str = "", retry_after: float = 0.0) -> None:
        self.retry_after = retry_after
        super().__init__(public, detail)


class AttributeMissing(LinkError):
    """``Server.personal_env`` names what this person does not have; another person may well have it."""


class RemoteRefused(LinkError):
    """A remote server turned the gateway itself away (credentials, redirect, out of order), or may not be
    reached. It says nothing about what the server speaks."""


class Busy(LinkError):
    """Not now. ``retry_after``: seconds after which another try makes sense."""

    def __init__(self, public: str, detail: str = "", retry_after: float = 1.0) -> None:
        self.retry_after = retry_after
        super().__init__(public, detail)


class PoolFull(Busy):
    """No further instance may be started, for the server as a whole or for this person."""


class LinkClosed(LinkError):
    """The process or connection ended while a request was waiting."""


class LinkBusy(Busy):
    """The upstream does not read, or too many calls wait for it; this one was not sent."""


class LinkTimeout(LinkError):
    """No answer within the configured time."""


class LineTooLong(LinkError):
    """The upstream sent one message above the configured cap; it was skipped, the Link lives."""


class BadAnswer(LinkError):
    """The upstream's answer is not JSON, or no JSON-RPC response; the Link lives."""
