"""How does a trial run a part of its page in several processes, and get what they measured?

`mlx.launch` starts the processes, with a ring of sockets between them, and ends all of them when one ends
badly. Each runs this module as a program, which loads the page and calls its function `part`. What the first
process yields is printed, a line each, and read here.

    mlx.launch -n 2 -- python -m seqlab.training.launched experiments/dataparallel.py model=LSTM

The processes use the CPU, one core each: several processes on one GPU would only wait for one another.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, suppress
from pathlib import Path

from seqlab.errors import UsageError
from seqlab.notebook.metrics import Measurement

MARK = "seqlab measured "  # begins the lines that are measurements
PARENT = "SEQLAB_PARENT"  # the process for whom they work: they end when it has ended
PORTS = range(20_000, 32_000)  # below those that systems give out by themselves
_BAD_END = re.compile(r"Node with rank (\d+) exited with code (-?\d+)")
Setting = str | int | float | bool


def launch(page: Path, processes: int, settings: Mapping[str, Setting]) -> Iterator[Measurement]:
    """What `part` of the page measured in the first of so many processes on this machine.

    Raises `RuntimeError` with the last words of a process that ended badly; then the others were ended too.
    """
    command = [
        str(Path(sys.executable).with_name("mlx.launch")), "-n", str(processes), "--backend", "ring",
        "--starting-port", str(_free_ports(processes)), "--", sys.executable, "-m", __name__, str(page),
        *(f"{name}={value}" for name, value in settings.items()),
    ]  # fmt: skip
    paths = [path for path in sys.path if path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), PARENT: str(os.getpid())}
    with subprocess.Popen(
        command,
        env=environment,
        # A pipe that says nothing: at the end of a file the launcher would look for more without a rest.
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as launcher:
        others: list[str] = []
        try:
            for line in launcher.stdout or ():
                _, mark, measured = line.partition(MARK)
                if mark:
                    yield Measurement(**json.loads(measured))
                elif line.strip():
                    others.append(line.strip())
        finally:
            with suppress(ProcessLookupError):
                os.killpg(launcher.pid, signal.SIGTERM)
    ended = [found for line in others if (found := _BAD_END.search(line))]
    if ended:
        said = [line for line in others if not _BAD_END.search(line)]
        last = said[-1].removeprefix("seqlab: ") if said else "it said nothing"
        raise RuntimeError(
            f"process {int(ended[0][1]) + 1} of {processes} ended with exit code {ended[0][2]}, and the "
            f"others were ended: {last}"
        )


def _free_ports(count: int) -> int:
    """The first of so many ports in a row that nobody listens to."""
    start = PORTS.start + os.getpid() % (len(PORTS) // 2)
    for first in range(start, PORTS.stop - count):
        with ExitStack() as held:
            try:
                for port in range(first, first + count):
                    held.enter_context(closing(socket.socket())).bind(("127.0.0.1", port))
            except OSError:
                continue
            return first
    raise RuntimeError(f"expected {count} free ports from {start} to {PORTS.stop}, found none in a row.")


def _value(text: str) -> Setting:
    """A setting as the command line has it."""
    with suppress(ValueError):
        value: Setting = json.loads(text)
        return value
    return text


def main(arguments: list[str]) -> int:
    """Be one of the processes: `PAGE [NAME=VALUE …]`; without settings the part has its own."""
    from seqlab.machine import blas

    blas.load()  # before MLX
    blas.set_threads(1)
    import mlx.core as mx

    from seqlab.notebook.discover import part_of

    hosts = os.environ.get("MLX_HOSTFILE")
    if hosts and not Path(hosts).read_text().strip():
        del os.environ["MLX_HOSTFILE"]  # `mlx.launch -n 1` leaves it empty, and MLX cannot read that
    if parent := os.environ.get(PARENT):
        threading.Thread(target=_end_with, args=(int(parent),), daemon=True).start()
    mx.set_default_device(mx.cpu)
    if not arguments:
        raise UsageError("expected a page, then its settings as NAME=VALUE, found nothing.")
    settings = {name: _value(value) for name, _, value in (one.partition("=") for one in arguments[1:])}
    part = part_of(Path(arguments[0]))
    group = mx.distributed.init()
    for one in part(group, **settings):
        if group.rank() == 0:
            told = {"metric": one.metric, "value": one.value, "split": one.split, "step": one.step}
            print(MARK + json.dumps(told), flush=True)
    return 0


def _end_with(parent: int) -> None:
    """End this process soon after that one has ended."""
    while True:
        try:
            os.kill(parent, 0)
        except ProcessLookupError:
            os._exit(1)
        time.sleep(1)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except UsageError as error:
        sys.exit(f"seqlab: {error}")
