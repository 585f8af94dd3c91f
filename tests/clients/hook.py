"""The person in front of a client: fills in the sign-in form, presses approve, delivers the redirect.

usage: hook.py AUTHORIZE_URL [--deliver]     GATEKIT_USER and GATEKIT_PASSWORD say who it is;
with GATEKIT_READ_ONLY they let the client read only.
Prints the redirect. With ``--deliver`` the client's own loopback listener gets it, as from a browser.
``GATEKIT_LOGIN=chromium`` does it in a real Chromium, which delivers by itself (``chromium.mjs``).
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from gatekit.demo.browser import Browser, Page, Person


@dataclass(frozen=True)
class Cautious(Person):
    """Ticks "only let it read" as often as there is something in ``doubts``."""

    doubts: list[str] = field(default_factory=list, compare=False)

    def _next(self, page: Page, redirect_uri: str, decision: str) -> Page | str:
        for form in page.forms:
            for control in form.fields:
                if control.name == "read_only" and self.doubts:
                    control.checked = True
                    self.doubts.pop()
        return super()._next(page, redirect_uri, decision)


def complete(url: str, person: Person, deliver: bool = False) -> str:
    """Walk the pages behind ``url``; return the redirect with its parameters."""
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
    # A pushed request (RFC 9126) has nothing of it in the address, so its client has to say it.
    redirect_uri = query.get("redirect_uri") or os.environ["GATEKIT_REDIRECT_URI"]
    back = person.authorize(url, redirect_uri)
    callback = f"{redirect_uri}?{urllib.parse.urlencode(back)}"
    if deliver:
        _deliver(callback)
    return callback


def in_chromium(url: str) -> str:
    """The same in a headless Chromium whose profile lies in the client's home."""
    script = Path(__file__).with_name("chromium.mjs")
    profile = Path.home() / "chromium-profile"
    done = subprocess.run(
        ["node", str(script), url, str(profile)], capture_output=True, text=True, timeout=90, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip()[-1500:])
    return done.stdout.strip().splitlines()[-1]


def _deliver(callback: str) -> None:
    """The listener may not be up yet, or may close as soon as it has read the request: both are fine."""
    deadline = time.monotonic() + 10
    while True:
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(callback, timeout=10):
                return
        except urllib.error.HTTPError:
            return
        except urllib.error.URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        except OSError:
            return


if __name__ == "__main__":
    if os.environ.get("GATEKIT_LOGIN") == "chromium":
        print(in_chromium(sys.argv[1]))
    else:
        doubts = ["only let it read"] if "GATEKIT_READ_ONLY" in os.environ else []
        me = Cautious(os.environ["GATEKIT_USER"], os.environ["GATEKIT_PASSWORD"], Browser(), doubts)
        print(complete(sys.argv[1], me, deliver="--deliver" in sys.argv))
    if "GATEKIT_LOGINS" in os.environ:  # one line for each sign-in that came to its end
        with Path(os.environ["GATEKIT_LOGINS"]).open("a", encoding="utf-8") as logins:
            logins.write(urllib.parse.urlsplit(sys.argv[1]).netloc + "\n")
