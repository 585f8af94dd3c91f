"""What somebody with an account of the gateway itself shows after the password.

A code of an authenticator application, or one of ten recovery codes. Whoever has neither and must have one
sets one up at once. A passkey is two factors in one already, so nothing is asked after it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Literal, Protocol
from urllib.parse import urlsplit

from msgspec import Struct

from gatekit.errors import SignInRefused, StoreError, VaultError
from gatekit.identity import totp
from gatekit.identity.backoff import Allowance, Backoff
from gatekit.model.factors import LocalFactors, Totp
from gatekit.model.people import LOCAL, User
from gatekit.model.ports import Clock, Entropy
from gatekit.store.factor_ports import Factors
from gatekit.store.passkey_ports import Passkeys

Step = Literal["nothing", "code", "passkey", "setup"]
"""What comes after the password. ``passkey``: it is required, and passkeys are all that the person has."""

REFUSED = (
    "That code is not right, or it was used before. After several wrong ones, wait some minutes before the "
    "next one."
)
NOT_SET_UP = "That code is not the one that the application shows now. Try again with the next one."
TOO_OLD = "This took too long, or it was begun somewhere else. Here is a new one."
RECOVERY_CODES = 10
_RECOVERY_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
"""Without letters and digits that look alike."""
_RECOVERY_LETTERS = 16
"""79 bits: nobody guesses one, and they need no counter of their own."""
_SETUP_SECONDS = 900
_SECRET, _SETUP, _RECOVERY = "totp", "totp-setup", "recovery-code"

GUESSES = Allowance(free=5, longest=900.0, memory=86_400.0)
"""By person, wherever from: only who knows the password gets to guess. At most some 100 codes in a day."""


class Vault(Protocol):
    """``platform.vault.Vault``."""

    def seal(self, plain: str, purpose: str) -> str: ...

    def open(self, sealed: str, purpose: str) -> str: ...

    def mac(self, message: str, purpose: str) -> str: ...


class Setup(Struct, frozen=True, kw_only=True):
    """A secret that is shown and not kept yet."""

    secret: str
    address: str
    """``otpauth://…``"""
    sealed: str
    """Comes back with the first code. Good for one person, in one place, for minutes."""


class SecondFactors:
    """``rules``: what the operator says now."""

    def __init__(
        self,
        factors: Factors,
        passkeys: Passkeys,
        *,
        vault: Vault,
        clock: Clock,
        entropy: Entropy,
        origin: str,
        rules: Callable[[], LocalFactors],
    ) -> None:
        self._factors = factors
        self._passkeys = passkeys
        self._vault = vault
        self._clock = clock
        self._entropy = entropy
        self._issuer = urlsplit(origin).hostname or ""
        self.rules = rules
        self._guesses = Backoff(GUESSES, clock)

    async def after_password(self, user: User, must: bool = False) -> Step:
        """``must``: the application wants more than a password. Raises ``StoreError``."""
        rules = self.rules()
        if rules.second_factor == "off" or user.connection != LOCAL:
            return "nothing"
        if await self._factors.get(user.id) is not None:
            return "code"
        if rules.second_factor == "optional" and not must:
            return "nothing"
        # Who knows only the password of somebody with a passkey must not set up a factor of their own.
        return "passkey" if rules.passkeys and await self._passkeys.of_user(user.id) else "setup"

    async def check(self, user: User, code: str) -> str:
        """What is worth noting about it; empty: nothing. Raises ``SignInRefused``, ``StoreError``."""
        if wait := self._guesses.wait(user.id):
            raise SignInRefused(REFUSED, f"too many wrong codes of {user.username}, wait {wait:.0f} s")
        self._guesses.failed(user.id)  # before the check: guesses at the same time must count each other
        try:
            note = await self._judged(user, code[:100])
        except StoreError:
            self._guesses.forgive(user.id)
            raise
        except VaultError as bad:
            self._guesses.forgive(user.id)
            raise SignInRefused(REFUSED, f"the factor of {user.username} is unreadable: {bad}") from bad
        self._guesses.clear(user.id)
        return note

    async def _judged(self, user: User, code: str) -> str:
        kept = await self._factors.get(user.id)
        if kept is None:
            raise SignInRefused(REFUSED, f"{user.username} has no second factor")
        plain = "".join(letter for letter in code.lower() if letter.isalnum())
        if len(plain) == _RECOVERY_LETTERS:
            if not await self._factors.spend(user.id, self._digest(user.id, plain)):
                raise SignInRefused(REFUSED, f"wrong recovery code of {user.username}")
            return f"recovery code used, {await self._factors.codes_left(user.id)} left"
        step = totp.step_of(self._vault.open(kept.secret_sealed, _SECRET), plain, self._clock.now())
        if step is None:
            raise SignInRefused(REFUSED, f"wrong code of {user.username}")
        if not await self._factors.used(user.id, step, int(self._clock.now())):
            raise SignInRefused(REFUSED, f"a code of {user.username} came a second time")
        return ""

    # -- setting one up ------------------------------------------------------------------------------------

    def begin(self, user: User, place: str) -> Setup:
        """A new secret; ``place``: the run or the browser session that alone may bring it back."""
        secret = self._entropy.letters(totp.ALPHABET, totp.SECRET_LETTERS)
        until = int(self._clock.now()) + _SETUP_SECONDS
        return self._setup(
            user, secret, self._vault.seal(json.dumps([user.id, place, until, secret]), _SETUP)
        )

    def resumed(self, user: User, place: str, sealed: str) -> Setup:
        """The same one again. Raises ``SignInRefused``."""
        try:
            owner, begun_at, until, secret = json.loads(self._vault.open(sealed, _SETUP))
        except (VaultError, ValueError) as bad:
            raise SignInRefused(TOO_OLD, "no setup of ours") from bad
        if (owner, begun_at) != (user.id, place) or until <= self._clock.now():
            raise SignInRefused(TOO_OLD, "the setup is too old, or of another place")
        return self._setup(user, secret, sealed)

    def _setup(self, user: User, secret: str, sealed: str) -> Setup:
        shown = totp.address(secret, self._issuer, user.username)
        return Setup(secret=secret, address=shown, sealed=sealed)

    async def enrol(self, user: User, setup: Setup, code: str) -> tuple[str, ...]:
        """Keep it if ``code`` shows that the application has it; the recovery codes, to be shown once.

        Raises ``SignInRefused``, ``Conflict`` if there is one already.
        """
        now = self._clock.now()
        step = totp.step_of(setup.secret, "".join(code.split()), now)
        if step is None:
            raise SignInRefused(NOT_SET_UP, f"wrong first code of {user.username}")
        kept = Totp(
            user_id=user.id,
            secret_sealed=self._vault.seal(setup.secret, _SECRET),
            last_step=step,
            created_at=int(now),
        )
        codes = self._new_codes()
        await self._factors.add(kept, self._digests(user.id, codes))
        return codes

    async def renew_codes(self, user: User) -> tuple[str, ...]:
        """New recovery codes; those of before are good for nothing. Raises ``NotFound``."""
        codes = self._new_codes()
        await self._factors.set_codes(user.id, self._digests(user.id, codes))
        return codes

    def _new_codes(self) -> tuple[str, ...]:
        def one() -> str:
            letters = self._entropy.letters(_RECOVERY_ALPHABET, _RECOVERY_LETTERS)
            return "-".join(letters[at : at + 4] for at in range(0, _RECOVERY_LETTERS, 4))

        return tuple(one() for _ in range(RECOVERY_CODES))

    def _digests(self, user_id: str, codes: Sequence[str]) -> list[str]:
        return [self._digest(user_id, code.replace("-", "")) for code in codes]

    def _digest(self, user_id: str, code: str) -> str:
        # Keyed: whoever has only the rows cannot try codes.
        return self._vault.mac(f"{user_id}\0{code}", _RECOVERY)
