"""How is the report rendered by Quarto? It is found, asked for its version, and run once for each format.

Quarto is a separate program. It is looked for in `QUARTO_PATH`, then on PATH, then beside the running Python
(`pip install quarto-cli` puts it there). It needs no Jupyter kernel, since the document has no code cells.
Its output is kept in `quarto.log` beside the document; its last lines are shown when it fails.
"""

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from shutil import which

from seqlab.engines import DOCUMENT, FORMATS, OUTPUT, Format, Rendered
from seqlab.errors import RenderError

MINIMUM = (1, 9)  # the first with `pdf-standard: ua-1`
LOG = "quarto.log"
_TO: dict[Format, str] = {"html": "html", "pdf": "typst"}
_SHOWN_LINES = 6  # of Quarto's own output in an error


@dataclass(frozen=True)
class Quarto:
    """A Quarto that can be used."""

    path: Path
    version: str


def find() -> Path | None:
    """The path of Quarto; None where it is not installed. Raises `RenderError` for a wrong `QUARTO_PATH`."""
    named = os.environ.get("QUARTO_PATH")
    if named:
        choices = [Path(named), Path(named, "quarto"), Path(named, "bin", "quarto")]
        for path in choices:
            if path.is_file() and os.access(path, os.X_OK):
                return path
        raise RenderError(f"expected a program at QUARTO_PATH={named}, found none. Correct it or unset it.")
    package = find_spec("quarto_cli")
    inside = [Path(place) / "bin" for place in package.submodule_search_locations or ()] if package else []
    for folder in (None, Path(sys.executable).parent, *inside):
        found = which("quarto") if folder is None else which("quarto", path=str(folder))
        if found:
            return Path(found)
    return None


def version(path: Path) -> str:
    """The output of `quarto --version`. Raises `RenderError` when that fails or is older than `MINIMUM`."""
    status, printed = _run([str(path), "--version"], cwd=None, timeout=60.0)
    last = printed.strip().splitlines()[-1].strip() if printed.strip() else "nothing"
    numbers = re.match(r"(\d+)\.(\d+)", last)
    if status != 0 or numbers is None:
        raise RenderError(f"expected {path} --version to print a version, found {last!r}. Reinstall Quarto.")
    if (int(numbers[1]), int(numbers[2])) < MINIMUM:
        wanted = ".".join(map(str, MINIMUM))
        raise RenderError(f"expected Quarto {wanted} or later, found {last} at {path}. Update Quarto.")
    return last


def render(
    quarto: Quarto, project: Path, *, formats: tuple[Format, ...] = FORMATS, timeout: float = 300.0
) -> Rendered:
    """Render `report.qmd` into `_output/`. `timeout` is in seconds, for each document.

    Raises `RenderError` with Quarto's last lines when it fails, hangs, or writes nothing.
    """
    paths: dict[Format, Path] = {}
    messages: list[str] = []
    problems: list[RenderError] = []
    log = project / LOG
    log.write_text("")
    for form in formats:
        output = project / OUTPUT / f"report.{form}"
        output.unlink(missing_ok=True)  # or an old document would pass for a new one
        command = [str(quarto.path), "render", DOCUMENT, "--to", _TO[form]]
        status, printed = _run(command, cwd=project, timeout=timeout)
        with log.open("a", encoding="utf-8") as file:
            file.write(f"$ {' '.join(command[1:])}\n{printed}\n")
        lines = [line.strip() for line in printed.splitlines() if line.strip()]
        last = " | ".join(lines[-_SHOWN_LINES:]) or "it printed nothing"
        hint = f"See {log}, or use --engine embedded."
        if status is None:
            raise RenderError(
                f"expected Quarto to finish {form} in {timeout:g} s; it was stopped. "
                f"It printed: {last}. {hint}"
            )
        if status == 0 and output.is_file():
            paths[form] = output
            messages += [line for line in lines if line.upper().startswith(("WARN", "[WARN"))]
        elif status == 0:
            problems.append(RenderError(f"expected Quarto to write {output}, found nothing: {last}. {hint}"))
        else:
            why = f"Quarto could not render {form} (exit status {status}): {last}. {hint}"
            problems.append(RenderError(why))
    if not paths:
        raise problems[0]
    return Rendered(
        html=paths.get("html"),
        pdf=paths.get("pdf"),
        engine="quarto",
        version=f"Quarto {quarto.version}",
        messages=tuple(dict.fromkeys(messages)),
        problems=tuple(map(str, problems)),
    )


def _run(command: list[str], *, cwd: Path | None, timeout: float) -> tuple[int | None, str]:
    """Exit status (None: stopped at the timeout) and all output. Leaves no process behind."""
    environment = os.environ | {"QUARTO_PYTHON": sys.executable, "NO_COLOR": "1"}
    try:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # Quarto starts deno, pandoc and Typst: they end together
        )
    except OSError as problem:
        raise RenderError(f"Quarto at {command[0]} does not start: {problem}. Reinstall Quarto.") from None
    try:
        printed, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        printed, _ = process.communicate()
        return None, printed
    except BaseException:  # Ctrl-C does not reach another session
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    return process.returncode, printed
