"""How is a Dask cluster joined? By the address of its scheduler, or by starting one here: `local:4`.

TLS is configured as Dask does it, by its files or `DASK_DISTRIBUTED__COMM__TLS__CA_FILE` and others
(docs/cluster.md).
"""

import asyncio
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from seqlab.cluster.words import DEVICE
from seqlab.errors import UsageError
from seqlab.running.processes import interrupts_blocked

if TYPE_CHECKING:
    from distributed import Client

ADDRESS = re.compile(r"(tcp|tls)://\S+:\d+")
LOCAL = re.compile(r"local:([1-9]\d{0,2})")
START_SECONDS = 120  # for the workers of `local:4`


def check(text: str) -> None:
    """Raise `UsageError` unless this is the address of a scheduler."""
    if not ADDRESS.fullmatch(text) and not LOCAL.fullmatch(text):
        raise UsageError(
            "--scheduler expects tcp://HOST:PORT, tls://HOST:PORT or local:N for N workers here, "
            f"found {text!r}."
        )


@contextmanager
def joined(text: str) -> Iterator["Client"]:
    """A client of this scheduler; `UsageError` where there is none, or one of another version of Dask."""
    try:
        import dask
        import distributed
    except ModuleNotFoundError as error:
        raise UsageError(
            f"--scheduler needs the packages of the extra `cluster`, found no {error.name}. "
            "docs/cluster.md says how to install them."
        ) from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters is said in our own lines
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # Dask's advice about versions, ports and leaks
        local, timeout = LOCAL.fullmatch(text), dask.config.get("distributed.comm.timeouts.connect")
        if not local:
            _check_reachable(text, timeout)
        try:
            with interrupts_blocked():  # Ctrl-C is for this command, which then ends the workers
                if local:
                    cluster = distributed.LocalCluster(
                        n_workers=int(local[1]), threads_per_worker=1, resources={DEVICE: 1},
                        memory_limit=0, dashboard_address=None, silence_logs=logging.CRITICAL,
                    )  # fmt: skip
                    stack.enter_context(cluster)
                client = distributed.Client(cluster if local else text, timeout=timeout, set_as_default=False)
            stack.enter_context(client)
            if local:
                client.wait_for_workers(int(local[1]), timeout=START_SECONDS)
        except (OSError, RuntimeError, ValueError) as error:
            raise UsageError(_unreachable(text, error)) from None
        versions: Any = client.get_versions()
        _check_version(versions["scheduler"], dask_version(versions["client"]), text)
        yield client


def _check_reachable(text: str, timeout: str | float) -> None:
    """Raise `UsageError` unless a scheduler answers. A client that fails to begin would take long to end."""
    import distributed
    from dask.utils import parse_timedelta
    from distributed.comm.core import connect

    security = distributed.Security().get_connection_args("client")
    if text.startswith("tls") and security["ssl_context"] is None:
        raise UsageError(
            f"{text} needs certificates: set DASK_DISTRIBUTED__COMM__TLS__CA_FILE, __CLIENT__CERT and "
            "__CLIENT__KEY, as docs/cluster.md shows."
        )

    async def reach() -> None:
        comm = await connect(text, timeout=parse_timedelta(timeout), **security)
        await comm.close()

    try:
        asyncio.run(reach())
    except (OSError, ValueError) as error:
        raise UsageError(_unreachable(text, error)) from None


def _unreachable(text: str, error: BaseException) -> str:
    while error.__cause__ and str(error.__cause__):  # the first cause says most
        error = error.__cause__
    why = re.sub(r"in <[^>]*>: ", "", " ".join(str(error).split())) or type(error).__name__
    return f"cannot reach a Dask scheduler at {text}: {why.rstrip('.')}. Check that it runs, and its address."


def _check_version(scheduler: object, ours: str, text: str) -> None:
    theirs = dask_version(scheduler)
    if theirs != ours:
        raise UsageError(
            f"expected Dask {ours} at {text}, as here, found {theirs}. Install the same version on both."
        )


def dask_version(found: object) -> str:
    """The version of distributed in what Dask tells of a process; `unknown` where it tells none."""
    packages = found.get("packages", {}) if isinstance(found, dict) else {}
    return str(packages.get("distributed") or "unknown")
