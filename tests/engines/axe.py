"""What does axe-core say of a page, in a real Chromium?"""

import html
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from shutil import which

CHROMIUM = next(filter(None, map(which, ("chromium", "chromium-browser", "google-chrome"))), None)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
_RUN = """
axe.run(document, {resultTypes: ["violations"], runOnly: RULES}).then((found) => {
  const told = found.violations.map((rule) => [rule.id, ...rule.nodes.slice(0, 3).map((node) => node.html.slice(0, 200))]);
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  parent.postMessage(JSON.stringify({told, wide}), "*");
});
"""  # noqa: E501 (scripts have long lines)
# A window cannot be as narrow as a phone, but a frame can.
_FRAME = """<!DOCTYPE html><title>.</title><iframe style="width: WIDTHpx; height: 900px; border: 0" srcdoc="PAGE"></iframe>
<script>
addEventListener("message", (told) => {
  document.body.innerHTML = `<pre id="out">${told.data.replace(/&/g, "&amp;").replace(/</g, "&lt;")}</pre>`;
});
</script>
"""  # noqa: E501


@dataclass(frozen=True)
class Looked:
    """The violations, each with its first elements, and by how many pixels the page is too wide."""

    violations: list[list[str]]
    too_wide: int


def axe_script() -> Path | None:
    """The script of axe-core that a Python package brings; None where it is not installed."""
    found = find_spec("axe_playwright_python")
    places = (
        [Path(place) / "axe.min.js" for place in (found.submodule_search_locations or ())] if found else []
    )
    return next((place for place in places if place.is_file()), None)


def look(page: Path, folder: Path, *, width: int, dark: bool = False) -> Looked:
    """Open the page at this width, in pixels, and let axe look at it."""
    script = axe_script()
    assert script is not None
    assert CHROMIUM is not None
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text(), count=1)
    style = "<style>:root { color-scheme: dark !important; }</style></head>" if dark else "</head>"
    before, _, after = text.replace("</head>", style, 1).rpartition("</body>")
    run = _RUN.replace("RULES", json.dumps(RULES))
    whole = f"{before}<script>{script.read_text()}</script><script>{run}</script></body>{after}"
    shown = folder / "looked-at.html"
    shown.write_text(_FRAME.replace("WIDTH", str(width)).replace("PAGE", html.escape(whole)))
    profile = folder / "profile"
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}",
        "--window-size=1400,1000", "--dump-dom", "--virtual-time-budget=120000", shown.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    shutil.rmtree(profile, ignore_errors=True)
    out = re.search(r'<pre id="out">(.*?)</pre>', done.stdout, re.DOTALL)
    assert out, done.stdout[:500]
    found = json.loads(html.unescape(out[1]))
    return Looked(found["told"], found["wide"])
