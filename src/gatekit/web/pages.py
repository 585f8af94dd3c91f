"""The HTML of the authorization server, from Jinja2 templates. Everything is escaped; only passkeys need a
script."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from gatekit.oauth.pages import (
    ConsentView,
    DeviceConsentView,
    DeviceView,
    DoneView,
    HomeView,
    InviteView,
    OnwardView,
    RecoveryCodesView,
    SecondStepView,
    SetupView,
    SignInView,
    SignOutView,
)
from gatekit.web.assets import PASSKEYS, STYLESHEET
from gatekit.web.console.views import Question, Sheet
from gatekit.web.hints import hints
from gatekit.web.text import shown
from gatekit.web.views import AccessView, AccountView, PasskeysView, SecondFactorView

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"


class HtmlPages:
    """Implements ``oauth.pages.Pages``."""

    def __init__(self, product: str = "Gatekit") -> None:
        """``product`` is what the pages call this gateway."""
        self._product = product

    def sign_in(self, view: SignInView) -> str:
        return self._render("sign_in.html", view=view)

    def consent(self, view: ConsentView) -> str:
        return self._render("consent.html", view=view)

    def device(self, view: DeviceView) -> str:
        return self._render("device.html", view=view)

    def device_consent(self, view: DeviceConsentView) -> str:
        return self._render("device_consent.html", view=view)

    def done(self, view: DoneView) -> str:
        return self._render("done.html", view=view)

    def sign_out(self, view: SignOutView) -> str:
        return self._render("sign_out.html", view=view)

    def onward(self, view: OnwardView) -> str:
        return self._render("onward.html", view=view)

    def second_step(self, view: SecondStepView) -> str:
        return self._render("second_step.html", view=view)

    def setup(self, view: SetupView) -> str:
        return self._render("setup.html", view=view, picture=_qr(view.address))

    def recovery_codes(self, view: RecoveryCodesView) -> str:
        return self._render("recovery_codes.html", view=view)

    def invite(self, view: InviteView) -> str:
        return self._render("invite.html", view=view)

    def home(self, view: HomeView) -> str:
        ways = hints(view.servers[0][1]) if view.servers else ()
        return self._render("home.html", view=view, hints=ways)

    def access(self, view: AccessView) -> str:
        return self._render("access.html", view=view)

    def account(self, view: AccountView) -> str:
        return self._render("account.html", view=view)

    def console(self, view: Sheet | Question) -> str:
        """A page of administrators."""
        return self._render(f"console/{type(view).__name__.lower()}.html", view=view)

    def second_factor(self, view: SecondFactorView) -> str:
        return self._render("second_factor.html", view=view)

    def passkeys(self, view: PasskeysView) -> str:
        return self._render("passkeys.html", view=view)

    def problem(self, *, title: str, message: str, remedy: str = "", reference: str = "") -> str:
        return self._render("problem.html", title=title, message=message, remedy=remedy, reference=reference)

    def _render(self, template: str, **values: object) -> str:
        return _environment(self._product).get_template(template).render(**values)


@cache
def _environment(product: str) -> Environment:
    """The template engine, loaded at the first page, and one for all: a page is compiled once in a process.

    It costs 2 MB and tens of milliseconds, which a gateway that only serves tokens never pays.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["shown"] = shown
    environment.globals.update(product=product, stylesheet=STYLESHEET.url, passkeys_script=PASSKEYS.url)
    return environment


def _qr(text: str) -> str:
    """A picture that an ``img`` shows without another request."""
    import segno  # noqa: PLC0415 - for the one page that needs it

    return str(segno.make(text, error="m", micro=False).svg_data_uri(scale=4, border=3, light="#fff"))
