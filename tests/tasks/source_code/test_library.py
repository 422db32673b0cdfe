"""Is the library split without leaks, and cached for the next process?"""

import random
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from seqlab.errors import DataError
from seqlab.tasks import ngrams
from seqlab.tasks.source_code import library as source_code
from seqlab.tasks.source_code.library import SPLITS, split_files
from seqlab.tasks.source_code.tokens import is_identifier


@pytest.fixture(scope="module")
def library():
    return source_code.load()


@pytest.fixture
def made_python(tmp_path, monkeypatch):
    """A standard library of six files, and what is not of it."""
    for i in range(6):
        (tmp_path / f"module_{i}.py").write_text(f"x_{i} = {i}\n")
    for folder in ("site-packages", "test", "idlelib", "json/tests"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "other.py").write_text("other = 1\n")
    monkeypatch.setattr(source_code, "MIN_FILES", 5)
    monkeypatch.setattr(source_code, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"stdlib": str(tmp_path)})
    source_code.load.cache_clear()
    yield tmp_path
    source_code.load.cache_clear()


def test_every_file_is_in_one_split_and_equals_no_other(library):
    names = [name for split in SPLITS for name in library.files(split).names]
    assert len(names) == len(set(names))
    contents = {
        part.tokens[begin:end].tobytes()
        for part in map(library.files, SPLITS)
        for begin, end in zip(part.starts[:-1], part.starts[1:], strict=True)
    }
    assert len(contents) == len(names)
    assert b"" not in contents
    assert not any(name.split("/")[0] in source_code.LEFT_OUT for name in names)


def test_tokens_are_numbered_by_the_training_files(library):
    counts = np.bincount(library.train.tokens, minlength=len(library.vocabulary))
    assert (np.diff(counts) <= 0).all()
    assert len(set(library.vocabulary)) == len(library.vocabulary)
    assert not any("\n" in token for token in library.vocabulary)  # the cache's separator


def test_equal_files_are_read_once():
    named = {f"{i}.py": [f"x{i % 7}", "=", "<number>", "<newline>"] for i in range(20)} | {"empty.py": []}
    found = split_files(named, python="3", sha256="", characters=0)
    names = [name for split in SPLITS for name in found.files(split).names]
    assert len(names) == 7


def test_the_split_does_not_depend_on_the_global_random_state():
    named = {f"{i}.py": [f"x{i}"] for i in range(30)}
    random.seed(1)
    first = split_files(named, python="3", sha256="", characters=0)
    random.seed(2)
    assert split_files(named, python="3", sha256="", characters=0).test.names == first.test.names
    assert [len(first.files(split).names) for split in SPLITS] == [24, 3, 3]


def test_only_the_library_is_read_and_cached_for_the_next_process(made_python):
    first = source_code.load()
    assert sum(len(first.files(split).names) for split in SPLITS) == 6
    assert "other" not in first.vocabulary
    (cached,) = (made_python / "cache").iterdir()
    source_code.load.cache_clear()
    again = source_code.load()
    assert again.vocabulary == first.vocabulary
    np.testing.assert_array_equal(again.train.tokens, first.train.tokens)
    cached.write_bytes(cached.read_bytes()[:-20])  # damaged: made again
    source_code.load.cache_clear()
    assert source_code.load().vocabulary == first.vocabulary


def test_the_cached_tokens_are_used(made_python, monkeypatch):
    source_code.load()
    source_code.load.cache_clear()
    monkeypatch.setattr(source_code, "tokens_of", None)  # would fail if it were called
    source_code.load()


def test_another_content_is_another_library(made_python):
    first = source_code.load()
    (made_python / "module_0.py").write_text("altered = 0\n")
    source_code.load.cache_clear()
    second = source_code.load()
    assert second.sha256 != first.sha256
    assert "altered" in second.vocabulary


def test_a_cache_folder_that_cannot_be_written_costs_time_only(made_python, monkeypatch):
    (made_python / "blocked").write_text("a file where a folder should be")
    monkeypatch.setattr(source_code, "cache_folder", lambda: made_python / "blocked" / "cache")
    assert "x_0" in source_code.load().vocabulary


@pytest.mark.parametrize("missing", ["few", "all"])
def test_a_python_without_its_sources_is_refused(made_python, missing):
    for i in range(6 if missing == "all" else 3):
        (made_python / f"module_{i}.py").unlink()
    with pytest.raises(
        DataError, match=r"expected 5 or more source files.*found [03]\. Run Seqlab"
    ) as caught:
        source_code.load()
    assert "\n" not in str(caught.value)


def test_the_description_counts_what_was_read(made_python):
    library = source_code.load()
    text = library.describe()
    assert f"{library.characters:,} characters, 6 files of 24 tokens to train, 0 files" in text
    assert library.sha256 in text


def test_kinds(library):
    kinds = library.kinds()
    at = library.vocabulary.index
    assert kinds["identifiers"][at("self")]
    assert kinds["keywords"][at("return")]
    assert not any(kinds[kind][at(token)] for kind in kinds for token in ("<newline>", "<string>", "("))
    assert not is_identifier("None")


@pytest.mark.slow
@pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason="the published figures are for Python 3.11's library"
)
def test_back_off_reaches_the_published_figures(library):
    """Back-off to the longest context seen twice: 32.4, 45.8 and 47.6 % of the test tokens."""
    assert len(source_code.read_sources(Path(sysconfig.get_paths()["stdlib"]))) == 404
    counts = ngrams.Ngrams(library.train, library.test, order=6)
    for order, figure in ((2, 0.324), (4, 0.458), (6, 0.476)):
        reached = float((counts.backed_off(order=order) == library.test.tokens).mean())
        assert reached == pytest.approx(figure, rel=0.01)
