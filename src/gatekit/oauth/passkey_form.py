"""The form of the sign-in page that a passkey answers."""

from __future__ import annotations

from gatekit.identity.passkeys import RelyingParty
from gatekit.model.people import LOCAL
from gatekit.oauth.browser import Browser, Run
from gatekit.oauth.core import Core
from gatekit.oauth.pages import PasskeyForm

PATH = "/login/passkey"
PURPOSE = "passkey"
"""Of nonces that count once."""
_NONCE = "gk_pk_"


def new_nonce(core: Core) -> str:
    return core.services.entropy.token(_NONCE, 16)


def usable(core: Core, party: RelyingParty) -> bool:
    """Whether passkeys open anything here."""
    return party.possible and core.services.local().passkeys and LOCAL in core.services.passwords


def passkey_form(core: Core, browser: Browser, run: Run) -> PasskeyForm | None:
    """None where no passkey can work: none are made there either."""
    party = RelyingParty(core.settings.issuer)
    if not usable(core, party):
        return None
    nonce = new_nonce(core)
    return PasskeyForm(action=PATH, nonce=nonce, options=party.to_show(browser.csrf(run, PURPOSE, nonce)))
