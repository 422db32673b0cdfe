"""Every error that a user may see: what was expected, what was found, what to do next."""

from collections.abc import Iterable


class SeqlabError(Exception):
    """Something that a user can correct. The message is one line; no traceback is shown."""

    exit_status = 1


class UsageError(SeqlabError):
    """The command, an option or an experiment page is wrong; nothing was run (exit status 2)."""

    exit_status = 2


class PageChangedError(UsageError):
    """A page, or what it imports, was changed or deleted while its trials ran: the others go on."""


class NothingRanError(SeqlabError):
    """No trial ran and nothing is stored, so there is nothing to report (exit status 3)."""

    exit_status = 3


class RenderError(SeqlabError):
    """The document could not be rendered; every result is safe in the store (exit status 4)."""

    exit_status = 4


class StoreError(SeqlabError):
    """The results database cannot be read or written (exit status 2: nothing was run)."""

    exit_status = 2


class DataError(SeqlabError):
    """A data set is missing, was changed or cannot be downloaded."""


class WorkerError(SeqlabError):
    """The process that runs trials cannot be started, so no trial can run."""


class DivergedError(SeqlabError):
    """A measured value is not finite: the trial diverged, which is a status and not a number."""


MOST_NAMED = 30


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """A message that `name` is not a known `what`, with the most similar known one."""
    from difflib import get_close_matches  # imported where it is needed: reading pages rarely does

    names = sorted(known)
    nearest = get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
    shown = names
    if len(names) > MOST_NAMED:  # a list of 100 hides the hint
        shown = get_close_matches(name, names, n=3, cutoff=0.3)
        shown += [f"and {len(names) - len(shown)} more"] if shown else [f"{len(names)} of them"]
    return f"unknown {what} {name!r}; known: {', '.join(shown) or 'none'}.{hint}"


def said_by(error: BaseException) -> str:
    """The error's own words; of one whose class cannot say them, that this is so."""
    try:
        return str(error)
    except Exception as another:  # noqa: BLE001 - of another's class
        return f"(its __str__ raises {type(another).__name__})"


def in_a_line(error: BaseException) -> str:
    """What is told of any error: our own ones are their words, those of other code are `described`."""
    return said_by(error) if isinstance(error, SeqlabError) else described(error)


def described(error: BaseException) -> str:
    """An error of other code in one line; for a library that is not installed, also what to do."""
    text = f"{type(error).__name__}: {said_by(error)}"
    ours = ("seqlab", "experiments")
    if isinstance(error, ModuleNotFoundError) and error.name and error.name.partition(".")[0] not in ours:
        return f"{text}. Install it: `nox -s report` installs all that the pages need, or use pip."
    return text
