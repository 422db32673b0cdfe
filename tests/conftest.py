"""What holds in every test: the fast BLAS, default settings, array shapes checked, Hypothesis unhurried."""

import os

from hypothesis import settings
from jaxtyping import install_import_hook

from seqlab.machine import blas

blas.load()  # before anything imports MLX
# Where the tests run on all cores, each process has its share of them.
blas.set_threads(max(1, blas.cores() // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))))
os.environ.setdefault("MLX_ENABLE_TF32", "0")  # on a GPU products would keep 10 bits, and tests expect 23
os.environ.pop("COLUMNS", None)  # of the developer's terminal, which processes of pytest-xdist are given
os.environ["SEQLAB_CALIBRATE"] = "0"  # a command of a test is not to measure this machine first

# Every call of a model or a measure is checked against the shapes in its signature.
install_import_hook(["seqlab.models", "seqlab.measure", "seqlab.training"], "beartype.beartype")

settings.register_profile("unhurried", deadline=None)  # a busy machine is not a bug
settings.load_profile("unhurried")
