"""Passkeys (WebAuthn Level 3): what the browser is asked, and whether its answer is good.

The relying party is the host of ``public_url``, the origin is exactly it. The person must be verified by the
authenticator (PIN, finger) every time, so a passkey is possession and a second factor in one. Attestation is
not asked for: which make an authenticator is says nothing about the person. Passkeys belong to accounts of
the gateway itself; whoever comes from a company's provider is asked there.
"""

from __future__ import annotations

import json
from asyncio import to_thread
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as BadBase64
from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from msgspec import Struct

from gatekit.errors import SignInRefused

REFUSED = "That passkey does not open anything here. Try again, or sign in another way."
MAX_ANSWER = 16 * 1024
"""Characters of what a browser sends; a credential takes 1 or 2 thousand."""
_ALGORITHMS = (-8, -7, -257)
"""EdDSA, ES256, RS256 (COSE)."""
_TIMEOUT_MS = 300_000


class Made(Struct, frozen=True):
    """A new credential, verified. Texts are base64url without padding."""

    id: str
    public_key: str
    sign_count: int


class Shown(Struct, frozen=True):
    """A use of a credential, verified."""

    count: int
    synced: bool
    """Whether it can be copied to other devices, as most passkeys can."""


class RelyingParty:
    """This gateway, as authenticators see it."""

    def __init__(self, origin: str, title: str = "Gatekit") -> None:
        """``origin``: of the public URL."""
        self._origin = origin
        self._host = urlsplit(origin).hostname or ""
        self._title = title

    @property
    def possible(self) -> bool:
        """Browsers know no passkeys for an address, nor without TLS except at localhost (§5.1.2)."""
        try:
            ip_address(self._host)
        except ValueError:
            return self._origin.startswith("https://") or self._host == "localhost"
        return False

    def to_make(self, challenge: str, user_id: str, username: str, known: Iterable[str]) -> str:
        """JSON for ``parseCreationOptionsFromJSON``; ``known``: credentials that the person has already."""
        return json.dumps(
            {
                "rp": {"id": self._host, "name": self._title},
                "user": {"id": _text(user_id.encode()), "name": username, "displayName": username},
                "challenge": _text(challenge.encode()),
                "pubKeyCredParams": [{"type": "public-key", "alg": alg} for alg in _ALGORITHMS],
                "timeout": _TIMEOUT_MS,
                "excludeCredentials": [{"type": "public-key", "id": ident} for ident in known],
                "authenticatorSelection": {
                    "residentKey": "required",
                    "requireResidentKey": True,
                    "userVerification": "required",
                },
                "attestation": "none",
            }
        )

    def to_show(self, challenge: str) -> str:
        """JSON for ``parseRequestOptionsFromJSON``: whichever passkey of this gateway there is."""
        return json.dumps(
            {
                "rpId": self._host,
                "challenge": _text(challenge.encode()),
                "timeout": _TIMEOUT_MS,
                "allowCredentials": [],
                "userVerification": "required",
            }
        )

    async def made(self, answer: str, challenge: str) -> Made:
        """Raises ``SignInRefused``."""
        return await to_thread(self._made, _bounded(answer), challenge)

    async def shown(self, answer: str, challenge: str, public_key: str, user_id: str) -> Shown:
        """What the authenticator says, if it proves that it holds the key now (§7.2).

        Raises ``SignInRefused``.
        """
        return await to_thread(self._shown, _bounded(answer), challenge, public_key, user_id)

    def _made(self, answer: str, challenge: str) -> Made:
        # Imported at the first passkey: it would be a tenth of what a start costs everybody else.
        from webauthn import verify_registration_response  # noqa: PLC0415 - as said
        from webauthn.helpers.cose import COSEAlgorithmIdentifier  # noqa: PLC0415 - as said
        from webauthn.helpers.exceptions import WebAuthnException  # noqa: PLC0415 - as said

        try:
            judged = verify_registration_response(
                credential=answer,
                expected_challenge=challenge.encode(),
                expected_rp_id=self._host,
                expected_origin=self._origin,
                require_user_verification=True,
                supported_pub_key_algs=[COSEAlgorithmIdentifier(alg) for alg in _ALGORITHMS],
            )
        except (WebAuthnException, ValueError, TypeError, KeyError) as wrong:
            raise SignInRefused(REFUSED, f"passkey not made: {wrong}") from wrong
        return Made(_text(judged.credential_id), _text(judged.credential_public_key), judged.sign_count)

    def _shown(self, answer: str, challenge: str, public_key: str, user_id: str) -> Shown:
        from webauthn import verify_authentication_response  # noqa: PLC0415 - as above
        from webauthn.helpers.exceptions import WebAuthnException  # noqa: PLC0415 - as above
        from webauthn.helpers.structs import CredentialDeviceType  # noqa: PLC0415 - as above

        handle = _member(answer, "response", "userHandle")
        if handle != _text(user_id.encode()):  # §7.2 step 6: asked for without a name, it must name the owner
            raise SignInRefused(REFUSED, "the passkey names somebody else")
        try:
            judged = verify_authentication_response(
                credential=answer,
                expected_challenge=challenge.encode(),
                expected_rp_id=self._host,
                expected_origin=self._origin,
                credential_public_key=_bytes(public_key),
                credential_current_sign_count=0,  # the store compares, in the step that writes
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, TypeError, KeyError) as wrong:
            raise SignInRefused(REFUSED, f"passkey not shown: {wrong}") from wrong
        return Shown(
            judged.new_sign_count, judged.credential_device_type != CredentialDeviceType.SINGLE_DEVICE
        )


def credential_of(answer: str) -> str:
    """Which credential an answer is of. Raises ``SignInRefused``."""
    return _member(_bounded(answer), "id")


def _member(answer: str, *path: str) -> str:
    found: object = None
    try:
        found = json.loads(answer)
        for name in path:
            found = found[name]  # type: ignore[index]
    except (ValueError, TypeError, KeyError, RecursionError) as bad:
        raise SignInRefused(REFUSED, "the passkey's answer is not usable") from bad
    if not isinstance(found, str):
        raise SignInRefused(REFUSED, "the passkey's answer is not usable")
    return found


def _bounded(answer: str) -> str:
    if len(answer) > MAX_ANSWER:
        raise SignInRefused(REFUSED, "the passkey's answer is too long")
    return answer


def _text(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def _bytes(value: str) -> bytes:
    try:
        return urlsafe_b64decode(value + "=" * (-len(value) % 4))
    except BadBase64 as bad:
        raise SignInRefused(REFUSED, "the stored key is not readable") from bad
