"""A headless Chromium that a test drives over its own pipe (Chrome DevTools Protocol), without a library."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

WITHIN = 30.0
"""Seconds for one answer or one change of the page."""
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync", "--disable-quic"),
    *("--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe"),
)
_AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


class Page:
    """One page. ``complaints``: what its content security policy stopped."""

    def __init__(self, to: int, back: int) -> None:
        self._to = to
        self._back = back
        self._rest = b""
        self._last = 0
        self._session = ""
        self.complaints: list[str] = []

    def open(self) -> None:
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Log", "Runtime", "WebAuthn"):
            self.send(f"{domain}.enable")

    def authenticator(self) -> str:
        """A new one, which verifies its person without being asked."""
        return str(self.send("WebAuthn.addVirtualAuthenticator", options=_AUTHENTICATOR)["authenticatorId"])

    def credentials(self, authenticator: str) -> list[dict[str, Any]]:
        found = self.send("WebAuthn.getCredentials", authenticatorId=authenticator)["credentials"]
        return list(found)

    def visit(self, url: str, then: str) -> None:
        """Open ``url``; ``then`` is a selector that must be there."""
        self.send("Page.navigate", url=url)
        self.until(then)
        self._until("document.readyState === 'complete'", "end of loading")  # with its style

    def fill(self, selector: str, value: str) -> None:
        self.run(f"document.querySelector({json.dumps(selector)}).value = {json.dumps(value)}")

    def press(self, selector: str, then: str) -> None:
        """Click; ``then`` is a selector that must be there after it."""
        old = bool(self.run(_visible(then)))
        if old:  # what is waited for stands on this page already: wait for the next one
            self.run("window.pressed = true")
        self.run(f"document.querySelector({json.dumps(selector)}).click()")
        if old:
            self._until("window.pressed !== true", "another page")
        self.until(then)

    def until(self, selector: str) -> None:
        """Wait for a visible element."""
        self._until(_visible(selector), selector)

    def _until(self, expression: str, what: str) -> None:
        deadline = time.monotonic() + WITHIN
        while not self.run(expression):
            text = self.run("document.body?.innerText ?? ''")
            assert time.monotonic() < deadline, f"no {what}: {str(text)[:500]}"
            time.sleep(0.05)

    @property
    def text(self) -> str:
        return str(self.run("document.body.innerText"))

    def run(self, expression: str) -> object:
        """What it is, in the page; None while one page gives way to the next."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True, userGesture=True)
        return answer.get("result", {}).get("value")

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        self._last += 1
        message = {"id": self._last, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + WITHIN
        while True:
            answer = self._message(deadline)
            if answer.get("id") == self._last:
                if "error" in answer and method != "Runtime.evaluate":
                    raise AssertionError(f"{method}: {answer['error']}")
                return dict(answer.get("result", {}))
            entry = answer.get("params", {}).get("entry", {})
            if entry.get("source") == "security" or "Content Security Policy" in entry.get("text", ""):
                self.complaints.append(entry["text"])

    def _message(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            assert time.monotonic() < deadline, "Chromium does not answer"
            if select.select([self._back], [], [], 0.5)[0]:
                piece = os.read(self._back, 1 << 16)
                assert piece, "Chromium ended"
                self._rest += piece
        text, _, self._rest = self._rest.partition(b"\0")
        return dict(json.loads(text))


def _visible(selector: str) -> str:
    return f"document.querySelector({json.dumps(selector)})?.checkVisibility() ?? false"


@contextlib.contextmanager
def chromium(folder: Path) -> Iterator[Page]:
    """A browser with a profile of its own in ``folder``, and one page of it."""
    program = os.environ.get("CHROMIUM", "chromium")
    theirs_in, to = os.pipe()
    back, theirs_out = os.pipe()
    # It reads 3 and writes 4: out of the way first, whatever numbers these happen to have.
    high_in, high_out = (fcntl.fcntl(one, fcntl.F_DUPFD, 20) for one in (theirs_in, theirs_out))
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen(
            [
                *("bash", "-c", f'exec 3<&{high_in} 4>&{high_out}; exec "$@"', "chromium", program),
                *(*_FLAGS, f"--user-data-dir={folder / 'profile'}"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(high_in, high_out),
            start_new_session=True,
            env={**os.environ, "HOME": str(folder)},
        )
    for one in (theirs_in, theirs_out, high_in, high_out):
        os.close(one)
    try:
        page = Page(to, back)
        page.open()
        yield page
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(process.pid, number)
                process.wait(5)
        os.close(to)
        os.close(back)
