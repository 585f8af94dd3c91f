"""Every page through axe-core (WCAG 2.2 A and AA) in headless Chromium, light and dark, wide and narrow.

usage: python -m tests.support.accessibility   (scripts/accessibility). Prints what is wrong; then it exits 1.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from html import unescape
from pathlib import Path
from typing import Any

from tests.support.peers import PEERS
from tests.unit.web import gallery

AXE = PEERS / "node_modules" / "axe-core" / "axe.min.js"
WIDTHS = (390, 1280)
SCHEMES = {"light": 1, "dark": 0}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_RUN = """<script>%s</script><script>
addEventListener("load", () => axe.run(document, {runOnly: %s}).then((found) => {
  const out = document.createElement("pre");
  out.id = "axe";
  out.textContent = JSON.stringify({broken: found.violations, passed: found.passes.length});
  document.body.append(out);
}));
</script></body>"""


def examined(page: Path, width: int, scheme: int, chromium: str, scratch: Path) -> Any:
    """What axe says of one page."""
    done = subprocess.run(
        [
            *(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
            *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars"),
            *(f"--user-data-dir={scratch}", f"--blink-settings=preferredColorScheme={scheme}"),
            *(f"--window-size={width},1400", "--virtual-time-budget=20000", "--dump-dom", page.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    result = re.search(r'<pre id="axe">(.*?)</pre>', done.stdout, re.S)
    if result is None:
        raise SystemExit(f"✗ axe said nothing of {page.name}: {done.stderr[-400:]}")
    return json.loads(unescape(result[1]))


def main() -> int:
    """Examine all pages."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None or not AXE.exists():
        print("✗ needs Chromium (apt-get install chromium) and scripts/install-peers", file=sys.stderr)
        return 2
    script = _RUN % (AXE.read_text(encoding="utf-8"), json.dumps(RULES))
    broken = 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        gallery.main(folder)
        for page in sorted(folder.glob("*.html")):
            page.write_text(page.read_text(encoding="utf-8").replace("</body>", script), encoding="utf-8")
            for name, scheme in SCHEMES.items():
                for width in WIDTHS:
                    found = examined(page, width, scheme, chromium, folder / "profile")
                    for rule in found["broken"]:
                        broken += 1
                        where = "; ".join(node["html"][:120] for node in rule["nodes"][:4])
                        print(f"✗ {page.stem} {width} {name}: {rule['id']} ({rule['impact']}): {where}")
            print(f"· {page.stem}: {found['passed']} rules hold")
    print(f"✗ {broken} faults" if broken else "✓ no faults")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
