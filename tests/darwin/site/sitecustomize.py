"""Python runs this first in every process of the simulated Mac: from then on all that asks is told of a Mac.

What the standard library does by platform as it is imported must fit the real one, so that is imported first.
"""

import importlib
import os
import pathlib
import platform
import resource
import sys
import sysconfig
from collections import namedtuple
from typing import Any

import psutil  # it has a module of its own for each platform

# Modules that do as the platform needs, or ask it for its proxies or its programs.
ASKING = (
    "asyncio", "ctypes.util", "multiprocessing.connection", "multiprocessing.popen_spawn_posix",
    "multiprocessing.reduction", "multiprocessing.resource_tracker", "subprocess", "tempfile",
    "urllib.request", "uuid",
)  # fmt: skip
OPEN_FILES = 256  # what a shell on macOS allows


def _fields(kind: str, names: str, found: Any, **others: int) -> Any:
    """What psutil finds, with the fields alone that it has on macOS."""
    values = {name: getattr(found, name, 0) for name in names.split()} | others
    return namedtuple(kind, names)(**values)


def _without(plain: Any) -> Any:
    """A method of Path for which there is no /proc and no /sys, as on a Mac."""

    def called(self: pathlib.Path, *arguments: Any, **named: Any) -> Any:
        if str(self).startswith(("/proc", "/sys/")):
            raise FileNotFoundError(2, "No such file or directory", str(self))
        return plain(self, *arguments, **named)

    return called


for module in ASKING:
    importlib.import_module(module)
sysconfig.get_config_vars()  # how Python was built, read once
sys.platform = "darwin"
platform.system = lambda: "Darwin"
platform.machine = lambda: "arm64"
platform.release = lambda: "24.5.0"
platform.processor = lambda: "arm"
platform.mac_ver = lambda *_: ("15.5", ("", "", ""), "arm64")  # type: ignore[assignment]
for name in ("sched_getaffinity", "sched_setaffinity"):
    if hasattr(os, name):
        delattr(os, name)
pathlib.Path.read_text = _without(pathlib.Path.read_text)  # type: ignore[method-assign]
pathlib.Path.read_bytes = _without(pathlib.Path.read_bytes)  # type: ignore[method-assign]

cpu_times, virtual_memory = psutil.cpu_times, psutil.virtual_memory
memory_info = psutil.Process.memory_info
psutil.cpu_times = lambda percpu=False: _fields("scputimes", "user nice system idle", cpu_times())
psutil.virtual_memory = lambda: _fields(
    "svmem", "total available percent used free active inactive wired", virtual_memory()
)
psutil.Process.memory_info = lambda self: _fields("pmem", "rss vms pfaults pageins", memory_info(self))
for name in ("cpu_affinity", "rlimit", "io_counters"):
    if hasattr(psutil.Process, name):
        delattr(psutil.Process, name)

_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(OPEN_FILES, hard), hard))
