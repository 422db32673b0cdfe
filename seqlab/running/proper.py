"""Is what a page's `run` yields a measurement or an artifact that can be stored? Else its trial fails, alone.

Numbers of NumPy, and arrays of one number, become Python's. The error names the page and the line that
yielded the value. Python numbers pass as they are.
"""

import traceback
from collections.abc import Iterable, Iterator
from dataclasses import replace
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from seqlab.errors import UsageError
from seqlab.notebook import allowed, metrics
from seqlab.notebook.artifacts import SUFFIXES, Artifact
from seqlab.notebook.metrics import Measurement


def proper(found: Iterable[object], page: Path) -> Iterator[Measurement | Artifact]:
    """What the page's `run` yields, each as it can be stored; raises what it raises, or `UsageError`."""
    try:
        values = iter(found)
    except TypeError:
        raise UsageError(
            f"{page.name}: run() must yield measurements and artifacts, found {allowed.shown(found)}. "
            "Write `yield Measurement(...)`."
        ) from None
    while True:
        try:
            value = next(values)
        except StopIteration:
            return
        except (TypeError, ValueError, OverflowError) as error:
            if refused := _refused(error, page):
                raise refused from error
            raise
        yield _proper(value, found, page)


def _proper(value: Any, generator: object, page: Path) -> Measurement | Artifact:
    """The value as it can be stored."""
    if isinstance(value, Measurement):
        step: Any = value.step
        if step is not None and not isinstance(step, int) and _is_whole(step):
            step = int(step)
        found: Any = value.value
        number = found if isinstance(found, int | float) else _number(found)
        wrong = (
            _wrong("value", allowed.number(number), found)
            or _wrong("step", allowed.step(step), value.step)
            or _wrong("split", allowed.name_or_empty(value.split), value.split)
        )
        if not wrong:
            same = number is found and step is value.step
            return value if same else replace(value, value=number, step=step)
        what = f"a measurement of {value.metric}"
    elif isinstance(value, Artifact):
        content: Any = value.data
        data = isinstance(content, bytes) and len(content) <= allowed.MOST_BYTES
        wrong = (
            _wrong("name", allowed.name(value.name), value.name)
            or _wrong(
                "media", "" if value.media in SUFFIXES else f"one of {', '.join(SUFFIXES)}", value.media
            )
            or _wrong("data", "" if data else f"at most {allowed.MOST_BYTES >> 20} MiB of bytes", content)
        )
        if not wrong:
            return value
        what = f"the artifact {allowed.shown(value.name)}"
    else:
        what, wrong = "something else", _wrong("it", "a Measurement or an Artifact", value)
    raise UsageError(f"{_where(generator, page)} yields {what}, of which {wrong}")


def _wrong(what: str, expected: str, found: object) -> str:
    return f"{what} should be {expected}; found {allowed.shown(found)}." if expected else ""


def _is_whole(step: object) -> bool:
    return isinstance(step, Integral) or (isinstance(step, Real) and float(step).is_integer())


def _number(value: Any) -> Any:
    """A number of another library, or an array of one, as a number of Python; anything else as it is."""
    if not isinstance(value, Real) and getattr(value, "size", 0) == 1 and hasattr(value, "item"):
        value = value.item()
    try:
        return float(value) if isinstance(value, Real) else value
    except OverflowError:
        return value


def _refused(error: Exception, page: Path) -> UsageError | None:
    """What to say of an error that is a measurement's about its value; None for one of the page's own."""
    frames = list(traceback.walk_tb(error.__traceback__))
    own = frames[-1][0].f_locals.get("self")
    if frames[-1][0].f_code.co_filename != metrics.__file__ or not isinstance(own, Measurement):
        return None
    line = next((number for frame, number in reversed(frames) if _is_of(frame, page)), 0)
    wrong = _wrong("value", "a finite number", own.value)
    return UsageError(f"{page.name}, line {line}, makes a measurement of {own.metric}, of which {wrong}")


def _where(generator: Any, page: Path) -> str:
    """The page and the line that has yielded just now, as far as it is known."""
    line = 0
    while frame := getattr(generator, "gi_frame", None):
        if _is_of(frame, page):
            line = frame.f_lineno
        generator = generator.gi_yieldfrom
    return f"{page.name}, line {line}," if line else page.name


def _is_of(frame: Any, page: Path) -> bool:
    return bool(Path(frame.f_code.co_filename).name == page.name)
