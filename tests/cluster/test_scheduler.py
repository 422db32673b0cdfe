"""Do trials on a Dask cluster give what they give here, and does a lost worker cost its trial alone?"""

import json
import sqlite3
import time
from contextlib import suppress
from pathlib import Path

import pytest

from seqlab.__main__ import main
from tests.cluster.dask import SECONDS, certificates, cluster, command, done, kill, verdicts
from tests.project import CALM, make

SLOW = CALM.replace('"pause": 0.0', '"pause": 1.0')


def stored(root: Path) -> list[tuple[object, ...]]:
    """What is deterministic of every run, in the order of trials."""
    with sqlite3.connect(root / "results" / "seqlab.db") as connection:
        return connection.execute(
            "SELECT experiment, factors, seed, status, device, fingerprint, value FROM run "
            "JOIN measurement ON run = run.id ORDER BY experiment, factors, seed, run.id"
        ).fetchall()


def machines(root: Path) -> list[dict[str, object]]:
    with sqlite3.connect(root / "results" / "seqlab.db") as connection:
        return [json.loads(text) for (text,) in connection.execute("SELECT json FROM provenance")]


def wait_for_runs(root: Path, count: int) -> None:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        with suppress(sqlite3.OperationalError):
            if len(stored(root)) >= count:
                return
        time.sleep(0.1)
    raise AssertionError("too few runs were stored")


def test_a_killed_worker_costs_its_trial_alone_and_another_may_join(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here, there = make(tmp_path / "here", calm=SLOW), make(tmp_path / "there", calm=SLOW)
    assert main(["run", "calm", "--root", str(here)]) == 0
    alone = capsys.readouterr().out
    with cluster(tmp_path, "first", "second") as dask:
        running = command("run", "calm", "--root", str(there), "--scheduler", dask.address)
        wait_for_runs(there, 1)
        kill(dask.workers[0])
        dask.add_worker("third")
        status, output, errors = done(running)
        assert status == 0, errors + dask.logs()
        assert "Worker first is gone." in errors
        assert verdicts(output) == verdicts(alone)
        assert stored(there) == stored(here)
        assert {found["trials at once"] for found in machines(there)} == {1}  # it measures time
        assert all(found["machine"] and found["python"] for found in machines(there))

        arguments = ("run", "calm", "--root", str(there), "--scheduler", dask.address)
        assert "0 of 10 trials are due" in done(command(*arguments, "--dry-run"))[1]
        status, _, errors = done(command(*arguments, "--device", "gpu"))
    assert status == 2
    assert "no worker of" in errors
    assert "expected a GPU for --device gpu" in errors


def test_tls_needs_the_certificate(tmp_path: Path) -> None:
    settings = certificates(tmp_path / "keys")
    root = make(tmp_path / "project", calm=CALM)
    with cluster(tmp_path, "one", protocol="tls", settings=settings) as dask:
        arguments = ("run", "calm", "--root", str(root), "--scheduler", dask.address)
        status, _, errors = done(command(*arguments, **settings))
        assert status == 0, errors + dask.logs()
        assert len(stored(root)) == 10

        status, _, errors = done(command(*arguments, "--force"))
        assert status == 2
        assert "needs certificates: set DASK_DISTRIBUTED__COMM__TLS__CA_FILE" in errors
        other = certificates(tmp_path / "others")
        hasty = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "2s"}
        status, _, errors = done(command(*arguments, "--force", **{**other, **hasty}))
    assert status == 2
    assert errors.startswith(f"seqlab: cannot reach a Dask scheduler at {dask.address}: ")
    assert len(errors.splitlines()) == 1
    assert len(stored(root)) == 10


def test_no_scheduler_and_no_workers_are_a_line_each(tmp_path: Path) -> None:
    root = make(tmp_path / "project", calm=CALM)
    arguments = ("run", "calm", "--root", str(root), "--scheduler")
    with cluster(tmp_path) as dask:
        waiting = command(*arguments, dask.address, SEQLAB_WAIT="2")
        status, _, errors = done(waiting)
    assert status == 2, errors
    waits, gives_up = errors.splitlines()
    assert waits == f"seqlab: Waiting for workers at {dask.address}, up to 2 s ..."
    assert gives_up.startswith(f"seqlab: no worker joined {dask.address} within 2 s. Start some")
    hasty = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "1s"}
    status, _, errors = done(command(*arguments, dask.address, **hasty))
    assert status == 2
    assert errors.startswith(f"seqlab: cannot reach a Dask scheduler at {dask.address}: ")
    assert len(errors.splitlines()) == 1


@pytest.mark.parametrize("address", ["", "127.0.0.1:8786", "local:0", "local", "http://127.0.0.1:8786"])
def test_what_is_no_address_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], address: str
) -> None:
    make(tmp_path, calm=CALM)
    assert main(["run", "calm", "--root", str(tmp_path), "--scheduler", address]) == 2
    assert "--scheduler expects tcp://HOST:PORT" in capsys.readouterr().err
