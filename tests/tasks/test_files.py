"""Are data refused that are missing, altered or unknown?"""

import shutil

import numpy as np
import pytest

from seqlab.errors import DataError
from seqlab.tasks import characters, files, images


def test_every_packaged_file_passes_its_check():
    assert set(files.check_all()) == set(files.HASHES)


def test_every_data_file_in_the_folder_has_a_hash():
    assert {path.name for path in files.FOLDER.iterdir() if path.suffix in (".npz", ".toml", ".xz")} == set(
        files.HASHES
    )


def test_the_readme_gives_every_hash():
    readme = (files.FOLDER / "README.md").read_text(encoding="utf-8")
    for name, digest in files.HASHES.items():
        assert f"{digest}  {name}" in readme


def test_an_altered_file_is_refused(monkeypatch, tmp_path):
    copy = tmp_path / "mnist5k.npz"
    shutil.copy(files.FOLDER / "mnist5k.npz", copy)
    monkeypatch.setattr(files, "FOLDER", tmp_path)
    altered = bytearray(copy.read_bytes())
    altered[len(altered) // 2] ^= 1
    copy.write_bytes(altered)
    with pytest.raises(DataError, match="altered") as caught:
        images.load()
    message = str(caught.value)
    assert files.HASHES["mnist5k.npz"] in message  # what was expected
    assert str(copy) in message
    assert "\n" not in message


def test_a_missing_file_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(files, "FOLDER", tmp_path)
    characters.load.cache_clear()  # another test may have read the file
    with pytest.raises(DataError, match=r"found none to read.*Reinstall") as caught:
        characters.load()
    assert "\n" not in str(caught.value)


def test_a_restored_file_is_read_without_a_new_process(monkeypatch, tmp_path):
    packaged = files.FOLDER / "mnist5k.npz"
    monkeypatch.setattr(files, "FOLDER", tmp_path)
    with pytest.raises(DataError):
        files.path("mnist5k.npz")
    shutil.copy(packaged, tmp_path)
    assert files.path("mnist5k.npz") == tmp_path / "mnist5k.npz"


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(DataError, match=r"Did you mean 'mnist5k\.npz'"):
        files.path("mnist5.npz")


def test_a_pickle_is_never_loaded(monkeypatch, tmp_path):
    """An array of objects would run code as it loads, whatever its hash."""
    np.savez(tmp_path / "mnist5k.npz", X=np.array([{}], dtype=object))
    monkeypatch.setattr(files, "path", lambda name: tmp_path / name)
    with pytest.raises(ValueError, match="allow_pickle"):
        files.arrays("mnist5k.npz")
