"""What happens inside a worker process: one trial after another, each on the device as it was set at first.

This is the only place that catches what a page raises. Its module state is the process's own: the parent
never calls anything in here.
"""

import os
import time
import traceback
from collections.abc import Iterable, Mapping
from ctypes import Array, c_double
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import TextIO

from seqlab.errors import DivergedError, PageChangedError, SeqlabError, UsageError, in_a_line, said_by
from seqlab.machine.settings import Settings
from seqlab.notebook.artifacts import Artifact, panels_of, text_of
from seqlab.notebook.experiment import Experiment, Trial
from seqlab.notebook.figures import Figure, ImageGrid, TextSamples
from seqlab.notebook.metrics import Measurement
from seqlab.running import resumed, spool
from seqlab.running.fingerprint import KNOWN_FILE, Fingerprints
from seqlab.running.identity.files import Files
from seqlab.running.identity.recorder import Recorder
from seqlab.running.processes import exit_with_parent, ignore_interrupts
from seqlab.running.proper import proper
from seqlab.store.database import Status
from seqlab.streams import visible

# Places in the memory shared with the parent. Without locks, so that a killed worker leaves none held.
# RUNS_IN is the process that took the trial up, PROCESS the one that started last. HELD are the bytes that
# MLX says it holds, told on a GPU alone: on a Mac they need not show in the size of the process.
STEP, VALUE, PROCESS, RUNS_IN, HELD = 0, 1, 2, 3, 4
PLACES = 5

OUT_OF_MEMORY = (
    "out of memory",
    "outofmemory",
    "unable to allocate",
    "[malloc",
    "bad_alloc",
    "attempting to allocate",
    "insufficient memory",
)
# Words of Metal's errors, and what to do about them.
HINTS = {
    "impacting interactivity": "The screen needed the GPU: close other windows, run the same command again.",
    "gpu timeout": "A kernel took longer than the system allows: run it again, or take smaller sizes.",
    "resource limit": "Too many arrays were alive at once: take shorter sequences or smaller batches.",
}
HELD_EVERY = 0.2  # seconds between two looks at the memory that MLX holds


@dataclass(frozen=True)
class TrialEnd:
    """How a trial ended, and what it used. Its measurements and artifacts are in the spool."""

    status: Status
    seconds: float
    error: str = ""
    traceback: str = ""
    used: Mapping[str, str] = field(default_factory=dict)


_shared: "Array[c_double] | None" = None
_device: tuple[str, Settings | None] = ("cpu", None)
_results: Path | None = None
_experiments: dict[str, Experiment] = {}
_fingerprints: Fingerprints | None = None
_recorder: Recorder | None = None


def start(
    shared: "Array[c_double]",
    parent: int,
    device: str,
    settings: Settings | None,
    environment: Mapping[str, str],
    results: Path | None,
) -> None:
    """Run once in each new process, before its first trial."""
    global _shared, _device, _results
    _shared, _device, _results = shared, (device, settings), results
    os.environ.update(environment)  # MLX asks once, when it opens the device
    ignore_interrupts()
    exit_with_parent(parent)
    from seqlab.machine import blas

    blas.load()  # before MLX is imported
    from seqlab.machine.device import use

    use(*_device)
    shared[HELD] = 0.0
    if device == "gpu":
        Thread(target=_tell_what_is_held, args=(shared,), daemon=True).start()
    shared[PROCESS] = os.getpid()


def _tell_what_is_held(shared: "Array[c_double]") -> None:
    """Tell the parent, again and again, how many bytes MLX holds for arrays and for reuse."""
    import mlx.core as mx

    while True:
        shared[HELD] = mx.get_active_memory() + mx.get_cache_memory()
        time.sleep(HELD_EVERY)


def run_trial(
    page: str, trial: Trial, spool_file: Path, checkpoints: Path | None, fingerprint: str
) -> TrialEnd:
    """Run one trial; what it yields goes to the spool at once.

    Raises `PageChangedError` where the page no longer has this fingerprint (empty: not checked).
    """
    assert _shared is not None
    _shared[STEP], _shared[VALUE], _shared[RUNS_IN] = 0.0, 0.0, os.getpid()
    import mlx.core as mx

    from seqlab.machine import device
    from seqlab.notebook.discover import load
    from seqlab.running.yielded import yielded
    from seqlab.training.checkpoints import Checkpoints, use

    device.use(*_device)  # the trial before may have chosen another device or other kernels
    mx.clear_cache()  # what it left for reuse would count as this one's memory
    recorder = _recorder_of(Path(page), fingerprint)
    use(None)
    if checkpoints:
        resumed.discard_unless_current(checkpoints, _files_of(Path(page)), Path(page))
        use(
            Checkpoints(
                checkpoints, keep_finished=True, before=lambda: resumed.note(checkpoints, recorder.used())
            )
        )
    recorder.begin(Path(page), has_rate=bool(trial.get("rate", 0.0)))
    started = time.perf_counter()
    with spool_file.open("w", buffering=1) as lines:  # by the line: a kill must not cost what was measured
        try:
            if page not in _experiments:
                _experiments[page] = load(Path(page))
                recorder.look()
            started = time.perf_counter()
            of_page = _experiments[page]
            found = proper(yielded(of_page, trial), Path(page))
            _write(found, of_page.figures, lines, _shared)
            mx.synchronize()  # an error of the last operations comes only now, and is not the next trial's
        except BaseException as error:  # noqa: BLE001 - a page is the user's code: the others go on
            status, text = _status_of(error)
            trace = "" if isinstance(error, SeqlabError) else traceback.format_exc()
            seconds = time.perf_counter() - started
            return TrialEnd(status, seconds, _printable(text), _printable(trace), recorder.end())
        seconds = time.perf_counter() - started
    return TrialEnd("ok", seconds, used=recorder.end())


def _recorder_of(page: Path, fingerprint: str) -> Recorder:
    """The process's recorder, made before any page is loaded. Raises as `run_trial` says."""
    global _recorder, _fingerprints
    _fingerprints = _fingerprints or Fingerprints(_results / KNOWN_FILE if _results else None)
    if fingerprint and str(page) not in _experiments:
        _check_fingerprint(_fingerprints, page, fingerprint)
    _recorder = _recorder or Recorder(_fingerprints.files(page), _results)
    return _recorder


def _write(
    found: Iterable[Measurement | Artifact],
    figures: tuple[Figure, ...],
    lines: TextIO,
    shared: "Array[c_double]",
) -> None:
    names = set[str]()
    for one in found:
        if isinstance(one, Artifact):
            _check_artifact(one, names, figures)
            lines.write(spool.line_of(one))
        else:
            lines.write(spool.line_of(one))
            if one.step is not None:
                shared[STEP], shared[VALUE] = one.step, one.value


def _check_artifact(artifact: Artifact, names: set[str], figures: Iterable[Figure]) -> None:
    """Raise `UsageError` where a second artifact takes a name, or a figure could not show this one.

    Otherwise one of the two would be lost, and only the report would find what a figure cannot show.
    """
    if artifact.name in names:
        raise UsageError(
            f"expected artifacts of different names, found two artifacts called {artifact.name!r} in one "
            "run. Rename one."
        )
    names.add(artifact.name)
    for figure in figures:
        match figure:
            case TextSamples(artifact=name) if name == artifact.name:
                text_of(artifact)
            case ImageGrid(artifact=name) if name == artifact.name:
                panels_of(artifact)


def _files_of(page: Path) -> Files:
    """The files of the page's project as they are now."""
    assert _fingerprints is not None
    return _fingerprints.files(page)


def _check_fingerprint(fingerprints: Fingerprints, page: Path, fingerprint: str) -> None:
    """Raise `PageChangedError` unless the page and what it imports still have this fingerprint.

    A process that replaces another imports them again, and its results must not pass for the old code's.
    """
    try:
        same = fingerprints.of(page) == fingerprint
    except (OSError, SyntaxError, ValueError):  # deleted, or only half saved
        same = False
    if not same:
        raise PageChangedError(
            f"{page.name}, or what it imports, was changed since this command began. "
            "Finished trials are stored; run the same command again."
        )


def _status_of(error: BaseException) -> tuple[Status, str]:
    """The status of a trial that raised this error, and the error in one line."""
    said = said_by(error)
    text = in_a_line(error)
    if isinstance(error, DivergedError):
        return "diverged", text
    if isinstance(error, MemoryError) or any(word in said.lower() for word in OUT_OF_MEMORY):
        return "out of memory", text
    hint = next((hint for words, hint in HINTS.items() if words in said.lower()), "")
    return "failed", f"{text} {hint}".rstrip()


def _printable(text: str) -> str:
    """The text with control characters, and lone surrogates, which SQLite refuses, as escapes."""
    return visible(text)
