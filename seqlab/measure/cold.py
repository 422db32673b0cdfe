"""How long does a first step take where nothing was compiled before?

MLX writes the kernels that it compiles for a CPU into the system's folder for temporary files. Later
processes find them there, and their first step takes one second instead of twenty. Within the context manager
of this module that folder is empty. It does not clear what the process itself has compiled, nor the cache of
a GPU's driver.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

FOLDER = "TMPDIR"  # the variable by which the system's folder is named


@contextmanager
def no_kernels() -> Iterator[None]:
    """Computations within find no kernels of earlier processes, and leave none to later ones."""
    before = os.environ.get(FOLDER)
    with TemporaryDirectory(prefix="seqlab-kernels-") as empty:
        os.environ[FOLDER] = empty
        try:
            yield
        finally:
            if before is None:
                del os.environ[FOLDER]
            else:
                os.environ[FOLDER] = before
