"""Sample pages of second factors."""

from __future__ import annotations

from gatekit.oauth.pages import PasskeyForm, RecoveryCodesView, SecondStepView, SetupView
from gatekit.web.pages import HtmlPages
from gatekit.web.views import SecondFactorView

PASSKEY = PasskeyForm(action="/login/passkey", nonce="gk_pk_sample", options='{"challenge": "c2FtcGxl"}')
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def second_step(**changes: object) -> SecondStepView:
    values: dict[str, object] = {
        "action": "/login/code",
        "csrf": "csrf-value",
        "txn": "gk_tx_sample",
        "username": "alice",
        "asks_code": True,
        "passkey": PASSKEY,
    }
    return SecondStepView(**{**values, **changes})  # type: ignore[arg-type]


def setup(**changes: object) -> SetupView:
    values: dict[str, object] = {
        "action": "/login/setup",
        "csrf": "csrf-value",
        "txn": "gk_tx_sample",
        "setup": "sealed",
        "secret": SECRET,
        "address": f"otpauth://totp/gate.example:alice?secret={SECRET}&issuer=gate.example",
        "username": "alice",
        "must": True,
    }
    return SetupView(**{**values, **changes})  # type: ignore[arg-type]


def second_factor(**changes: object) -> SecondFactorView:
    values: dict[str, object] = {
        "username": "alice",
        "csrf": "csrf-value",
        "logout_csrf": "csrf-value",
        "possible": True,
        "recent": True,
        "since": "2026-11-01",
        "used": "2026-11-23",
        "left": 9,
    }
    return SecondFactorView(**{**values, **changes})  # type: ignore[arg-type]


def pages_of_factors(pages: HtmlPages) -> dict[str, str]:
    """Name → document."""
    codes = tuple(f"abcd-efgh-jkmn-pq{number}{number}" for number in range(10))
    return {
        "second-step": pages.second_step(second_step()),
        "second-step-refused": pages.second_step(second_step(error="That code is not right.")),
        "second-step-passkey": pages.second_step(second_step(asks_code=False)),
        "setup": pages.setup(setup()),
        "setup-refused": pages.setup(setup(must=False, error="That code is not the one.")),
        "recovery-codes": pages.recovery_codes(RecoveryCodesView(codes=codes, onward="/")),
        "second-factor": pages.second_factor(second_factor()),
        "second-factor-none": pages.second_factor(second_factor(since="", left=0)),
        "second-factor-old": pages.second_factor(second_factor(recent=False, error="Not now.")),
        "second-factor-elsewhere": pages.second_factor(second_factor(possible=False)),
    }
