"""Do downloads resume, refuse what is not pinned, and need no network the second time?"""

import hashlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from seqlab.errors import DataError
from seqlab.tasks import downloads
from seqlab.tasks.downloads import DataSet, Remote

CONTENT = np.random.default_rng(0).bytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves CONTENT, and remembers which ranges it was asked for."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.asked: list[str | None] = []
        self.ranges = True  # whether it supports ranges
        self.breaks_after: list[int] = []  # bytes, of the next answers
        self.content = CONTENT
        self.status = 200

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}/made.bin"

    def handle_error(self, *_):
        """Say nothing of a connection that a test broke."""


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        wanted = self.headers.get("Range")
        server.asked.append(wanted)
        if server.status != 200:
            self.send_error(server.status)
            return
        first = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and server.ranges else 0
        rest, whole = server.content[first:], len(server.content)
        self.send_response(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{whole - 1}/{whole}")
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[: server.breaks_after.pop(0)] if server.breaks_after else rest)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def pinned(server, monkeypatch, tmp_path):
    """A set of one file on the server; its folder."""
    return pin(monkeypatch, tmp_path, server.address)


def pin(monkeypatch, folder, address):
    monkeypatch.setenv(downloads.VARIABLE, str(folder))
    made = DataSet("none", {"made.bin": Remote(address, SHA256, len(CONTENT))})
    monkeypatch.setattr(downloads, "SETS", {"made": made})
    return folder / "made"


def visible(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


def test_a_set_is_fetched_once_and_then_needs_no_network(server, pinned):
    assert not downloads.present("made")
    assert not pinned.exists()  # asking whether it is there makes nothing
    assert downloads.fetch("made")["made.bin"].read_bytes() == CONTENT
    assert downloads.present("made")
    server.status = 503
    assert downloads.fetch("made")["made.bin"].read_bytes() == CONTENT
    assert server.asked == [None]
    assert visible(pinned) == ["made.bin"]


def test_a_broken_connection_resumes_where_it_broke(server, pinned):
    server.breaks_after = [100_000, 50_000]
    assert downloads.fetch("made")["made.bin"].read_bytes() == CONTENT
    first, *later = server.asked
    assert first is None
    assert len(later) == 2
    at = [int(asked.removeprefix("bytes=").removesuffix("-")) for asked in later]
    assert 0 < at[0] < at[1] <= 150_000


def test_an_unfinished_file_is_finished_by_the_next_run(server, pinned):
    server.breaks_after = [100_000, 0]  # the second try gets nothing, so the run gives up
    with pytest.raises(DataError, match="found that the download failed"):
        downloads.fetch("made")
    assert visible(pinned) == ["made.bin.part"]  # never a half file under the whole one's name
    arrived = (pinned / "made.bin.part").stat().st_size
    assert 0 < arrived <= 100_000
    assert downloads.fetch("made")["made.bin"].read_bytes() == CONTENT
    assert server.asked[-1] == f"bytes={arrived}-"


def test_a_server_without_ranges_starts_again(server, pinned):
    server.ranges = False
    pinned.mkdir()
    (pinned / "made.bin.part").write_bytes(CONTENT[:1_000])
    assert downloads.fetch("made")["made.bin"].read_bytes() == CONTENT


@pytest.mark.parametrize("length", [len(CONTENT), len(CONTENT) + 7])
def test_a_part_as_long_as_the_file_or_longer_does_no_harm(server, pinned, length):
    pinned.mkdir()
    (pinned / "made.bin.part").write_bytes((CONTENT + b"surplus")[:length])
    assert downloads.fetch("made")["made.bin"].read_bytes() == CONTENT
    assert server.asked == ([] if length == len(CONTENT) else [None])


def test_another_hash_is_refused_and_the_file_removed(server, pinned):
    server.content = bytes(len(CONTENT))
    with pytest.raises(DataError, match="was removed") as caught:
        downloads.fetch("made")
    message = str(caught.value)
    assert SHA256 in message  # expected
    assert hashlib.sha256(server.content).hexdigest() in message  # found
    assert str(pinned / "made.bin") in message
    assert "\n" not in message
    assert visible(pinned) == []
    server.content = CONTENT
    assert downloads.fetch("made")["made.bin"].read_bytes() == CONTENT


def test_an_altered_file_is_fetched_again(server, pinned):
    downloads.fetch("made")["made.bin"].write_bytes(b"altered")
    assert not downloads.present("made")
    assert downloads.fetch("made")["made.bin"].read_bytes() == CONTENT


def test_without_a_network_the_error_says_which_file_to_put_where(monkeypatch, tmp_path):
    with socket.socket() as closed:  # a port that nobody listens on
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/made.bin"
    folder = pin(monkeypatch, tmp_path, address)
    with pytest.raises(DataError, match="ConnectionError") as caught:
        downloads.fetch("made")
    message = str(caught.value)
    for part in (str(folder / "made.bin"), address, SHA256, "0.3 MB", "by hand"):
        assert part in message
    assert "\n" not in message
    (folder / "made.bin").write_bytes(CONTENT)  # by hand
    assert downloads.fetch("made")["made.bin"].read_bytes() == CONTENT


def test_the_error_gives_the_answer_of_a_refusing_server(server, pinned):
    server.status = 404
    with pytest.raises(DataError, match="the server answered 404"):
        downloads.fetch("made")


def test_a_folder_that_cannot_be_made_is_refused(server, pinned):
    pinned.write_bytes(b"a file in its place")
    with pytest.raises(DataError, match=r"cannot be written there.*SEQLAB_DATA"):
        downloads.fetch("made")


def test_without_the_variable_it_is_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.delenv(downloads.VARIABLE, raising=False)
    monkeypatch.setattr("pooch.os_cache", lambda project: tmp_path / project)
    assert downloads.folder("ETTh1") == tmp_path / "seqlab" / "ETTh1"


def test_states_give_size_licence_and_folder(server, pinned):
    assert list(downloads.states()) == ["made (0.3 MB; licence: none): not fetched"]
    downloads.fetch("made")
    assert list(downloads.states()) == [f"made (0.3 MB; licence: none): in {pinned}"]


def test_an_unknown_set_suggests_the_nearest():
    with pytest.raises(DataError, match="Did you mean 'ETTh1'"):
        downloads.fetch("ETTh2")


def test_every_address_names_a_commit_and_every_file_a_hash():
    for one in downloads.SETS.values():
        assert one.licence
        for name, remote in one.files.items():
            assert remote.address.endswith("/" + name)
            assert any(len(part) == 40 for part in remote.address.split("/"))
            assert len(bytes.fromhex(remote.sha256)) == 32
            assert remote.size > 0
