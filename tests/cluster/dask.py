"""A real scheduler and real workers on this machine, each a process of its own, and certificates for them."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.project import HERE, SEQLAB

SECONDS = 240.0  # for anything here: on an idle machine a few are enough
PATIENT = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "120s", "SEQLAB_CALIBRATE": "0"}


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """This process's, with the package to be found, and without calibration."""
    return {**os.environ, "PYTHONPATH": str(HERE), **PATIENT, **more}


@dataclass
class Cluster:
    """A scheduler at `address`, and the workers that were started."""

    folder: Path
    address: str
    settings: Mapping[str, str] = field(default_factory=dict)
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        """`dask scheduler` or `dask worker`."""
        with (self.folder / f"{program}-{time.monotonic_ns()}.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", program, *arguments],
                cwd=HERE, env=environment(self.settings), stdout=log, stderr=log,
            )  # fmt: skip

    def add_worker(self, name: str, *options: str) -> subprocess.Popen[bytes]:
        """One more worker with one device."""
        usual = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--resources", "device=1")
        worker = self.start("worker", self.address, "--name", name, *usual, *options)
        self.workers.append(worker)
        return worker

    def logs(self) -> str:
        """What all of them wrote."""
        return "\n".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("*.log")))


@contextmanager
def cluster(
    folder: Path, *workers: str, protocol: str = "tcp", settings: Mapping[str, str] = {}
) -> Iterator[Cluster]:
    """A cluster with workers of these names, which ends with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = Cluster(folder, f"{protocol}://127.0.0.1:{port}", settings)
    scheduler = made.start(
        "scheduler", "--host", "127.0.0.1", "--port", str(port), "--protocol", protocol, "--no-dashboard"
    )
    try:
        for name in workers:
            made.add_worker(name)
        yield made
    finally:
        for process in (*made.workers, scheduler):
            process.kill()
            process.wait()


def command(*arguments: str, **settings: str) -> subprocess.Popen[str]:
    """A `seqlab` command, as another process."""
    return subprocess.Popen(
        [*SEQLAB, *arguments], cwd=HERE, env=environment(settings),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def done(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """How it ended: exit status, output, errors."""
    output, errors = process.communicate(timeout=SECONDS)
    return process.returncode, output, errors


def verdicts(output: str) -> str:
    """What `seqlab run` printed, without the spaces of its table."""
    return re.sub(r"\s+", " ", output)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill it as hard as a machine that loses its power."""
    process.send_signal(signal.SIGKILL)
    process.wait()


def certificates(folder: Path) -> dict[str, str]:
    """Dask's settings for a new authority and one certificate of it, which all parties share."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    folder.mkdir()
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "seqlab tests")])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.TraditionalOpenSSL
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption())
    )
    start = "DASK_DISTRIBUTED__COMM__TLS__"
    found = {f"{start}CA_FILE": str(folder / "cert.pem")}
    for party in ("CLIENT", "SCHEDULER", "WORKER"):
        found |= {
            f"{start}{party}__CERT": str(folder / "cert.pem"),
            f"{start}{party}__KEY": str(folder / "key.pem"),
        }
    return found
