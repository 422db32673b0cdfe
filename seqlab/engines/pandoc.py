"""How is the report rendered without Quarto? By pandoc and Typst, which Quarto itself runs.

Both come as Python packages (`pypandoc_binary`, `typst`). Three Lua filters give pandoc what Quarto
adds to it: `select` (options, conditional content), `crossref` (numbers and references) and `layout`
(figures, callouts, contents). A reference without a target, a citation that is not in the bibliography and
a figure without alt text are errors here, where Quarto only warns.
"""

import base64
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from importlib.metadata import version as installed
from importlib.util import find_spec
from pathlib import Path
from shutil import which

from seqlab.engines import DOCUMENT, FORMATS, OUTPUT, Format, Rendered
from seqlab.engines.source import expand
from seqlab.errors import RenderError

HERE = Path(__file__).parent
_INSTALL = "Run: pip install pypandoc_binary typst"
# Raw TeX and HTML are off: <script> in a name does nothing, and \alpha or <D> in prose stays visible.
READER = "markdown-raw_tex-raw_html-native_divs-native_spans"
_WRITERS: dict[Format, tuple[str, ...]] = {
    "html": ("--to=html5", "--mathml", "--section-divs", f"--template={HERE / 'template.html'}"),
    "pdf": ("--to=typst-citations", f"--template={HERE / 'template.typ'}"),
}
_POLICY = "script-src 'none'"  # as in the template
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_UNKNOWN_KEY = re.compile(r"citation (\S+) not found")


def find() -> Path:
    """The pandoc of the `pypandoc_binary` wheel, else the one on PATH; `RenderError` without either."""
    package = find_spec("pypandoc")
    places = [Path(place) / "files" for place in package.submodule_search_locations or ()] if package else []
    for place in places:
        for name in ("pandoc", "pandoc.exe"):
            if (place / name).is_file():
                return place / name
    found = which("pandoc")
    if found is None:
        raise RenderError(f"expected the embedded pandoc, found none. {_INSTALL}")
    return Path(found)


def version() -> str:
    """The versions of both programs, for the colophon: `pandoc 3.9, Typst 0.15.2`."""
    found = subprocess.run(
        [find(), "--version"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=True,
    )
    return f"{found.stdout.splitlines()[0]}, Typst {installed('typst')}"


def render(project: Path, *, formats: tuple[Format, ...] = FORMATS, timeout: float = 300.0) -> Rendered:
    """Render `report.qmd` into `_output/`. Raises `RenderError` where none can be made; the last good
    documents then stay.

    `timeout` is in seconds, for each document.
    """
    source = expand(project)
    makers = {"html": _html, "pdf": _pdf}
    with ThreadPoolExecutor() as pool:
        versions = pool.submit(version)
        jobs = {form: pool.submit(makers[form], project, source, timeout) for form in formats}
        made, problems = {}, []
        for form, job in jobs.items():
            try:
                made[form] = job.result()
            except RenderError as error:  # one format must not cost the other
                problems.append(error)
    if not made:
        raise problems[0]
    (project / OUTPUT).mkdir(exist_ok=True)
    paths: dict[Format, Path] = {form: project / OUTPUT / f"report.{form}" for form in made}
    for form, (content, _) in made.items():
        _replace(paths[form], content)
    return Rendered(
        html=paths.get("html"),
        pdf=paths.get("pdf"),
        engine="embedded",
        version=versions.result(),
        messages=tuple(dict.fromkeys(message for _, messages in made.values() for message in messages)),
        problems=tuple(map(str, problems)),
    )


def _html(project: Path, source: str, timeout: float) -> tuple[bytes, list[str]]:
    text, messages = _pandoc(project, source, form="html", timeout=timeout)
    return _allowed(text).encode(), messages


def _allowed(page: str) -> str:
    """The page, whose policy allows the scripts of the theme by their hashes, and no others."""
    scripts = _SCRIPT.findall(page.rpartition("</main>")[2])
    hashes = [base64.b64encode(sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{each}'" for each in hashes) or "'none'"
    return page.replace(_POLICY, f"script-src {allowed}", 1)


def _pdf(project: Path, source: str, timeout: float) -> tuple[bytes, list[str]]:
    import typst  # costs 20 ms, and only a PDF needs it

    text, messages = _pandoc(project, source, form="pdf", timeout=timeout)
    typ = project / "report.typ"
    typ.write_text(text, encoding="utf-8")
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    try:
        pdf, warnings = typst.compile_with_warnings(
            typ,
            root=project,
            format="pdf",
            ignore_system_fonts=True,  # the same document on every machine
            pdf_standards=["ua-1"],  # refuses figures without alt text, as Quarto's does
            timestamp=int(epoch) if epoch.isdecimal() else None,
        )
    except typst.TypstError as problem:
        raise RenderError(
            f"Typst cannot compile {typ}: {' '.join([problem.message, *problem.hints])}"
        ) from None
    return pdf, messages + [f"Typst: {warning.message}" for warning in warnings]


def _pandoc(project: Path, source: str, *, form: Format, timeout: float) -> tuple[str, list[str]]:
    """The document in one format, and pandoc's warnings."""
    program = find()
    # A larger nursery for its garbage collector: a fifth faster on the whole report. A pandoc from elsewhere
    # may have been built without these options.
    tuned = ["+RTS", "-A128m", "-n4m", "-RTS"] if program.parent.name == "files" else []
    command = [
        str(program),
        *tuned,
        f"--from={READER}",
        "--standalone",
        "--wrap=none",
        "--metadata-file=_quarto.yml",
        f"--data-dir={HERE}",  # a user's own pandoc defaults must not change the report
        f"--lua-filter={HERE / 'select.lua'}",
        f"--lua-filter={HERE / 'crossref.lua'}",
        "--citeproc",
        f"--lua-filter={HERE / 'layout.lua'}",
        *_WRITERS[form],
    ]
    try:
        done = subprocess.run(
            command, cwd=project, input=source, capture_output=True, encoding="utf-8", timeout=timeout
        )
    except subprocess.TimeoutExpired:
        raise RenderError(
            f"expected pandoc to finish within {timeout:.0f} s, found it still running and stopped it."
        ) from None
    if done.returncode:
        problem = done.stderr.partition("seqlab: ")[2] or done.stderr
        raise RenderError(f"{DOCUMENT} cannot be rendered: {' '.join(problem.split())}. Correct that text.")
    unknown = dict.fromkeys(_UNKNOWN_KEY.findall(done.stderr))
    if unknown:
        keys = ", ".join(f"@{key}" for key in unknown)
        raise RenderError(
            f"expected every citation in the bibliography, not found: {keys}. Add them to the .bib file."
        )
    return done.stdout, [line for line in done.stderr.splitlines() if line.startswith("[WARNING]")]


def _replace(path: Path, content: bytes) -> None:
    """Write to another file, then rename it: a reader never sees half a document."""
    beside = path.with_name(path.name + ".part")
    beside.write_bytes(content)
    beside.replace(path)
