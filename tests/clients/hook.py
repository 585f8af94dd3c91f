"""The person in front of a client: fills in the sign-in form, presses approve, delivers the redirect.

usage: hook.py AUTHORIZE_URL [--deliver]     GATEKIT_USER and GATEKIT_PASSWORD say who it is
Prints the redirect. With ``--deliver`` the client's own loopback listener gets it, as from a browser.
"""

from __future__ import annotations

import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

from gatekit.demo.browser import Browser, Person


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
    me = Person(os.environ["GATEKIT_USER"], os.environ["GATEKIT_PASSWORD"], Browser())
    print(complete(sys.argv[1], me, deliver="--deliver" in sys.argv))
