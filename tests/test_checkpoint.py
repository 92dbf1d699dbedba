"""Checkpoints are written whole or not at all, and damage is noticed."""

import json
import os

import numpy as np
import pytest
from safetensors.numpy import save_file

from plaingrad import checkpoint
from plaingrad.errors import CheckpointError

ARRAYS = {
    "params/a": np.arange(6, dtype=np.float32).reshape(2, 3),
    "params/b": np.float64(2.5).reshape(()),
    "best-params/a": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "empty": np.zeros((0, 3)),
}
VALUES = {"step": 12, "name": "x ü", "best": None}


def save(folder, step):
    path = checkpoint.path_for(folder, step)
    checkpoint.save(path, ARRAYS, VALUES | {"step": step})
    return path


def test_round_trip(tmp_path):
    loaded = checkpoint.load(save(tmp_path / "new", 12))
    assert loaded.values == VALUES
    assert loaded.arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert loaded.arrays[name].dtype == array.dtype
        assert loaded.arrays[name].shape == array.shape
        np.testing.assert_array_equal(loaded.arrays[name], array)
    assert set(loaded.part("params")) == {"a", "b"}
    assert os.listdir(tmp_path / "new") == ["step-000000012.safetensors"]


def test_newest_and_keep(tmp_path):
    paths = [save(tmp_path, step) for step in (3, 20, 100)]
    (tmp_path / "notes.txt").write_text("not a checkpoint")
    assert checkpoint.found(tmp_path) == paths
    found, problems = checkpoint.newest(tmp_path)
    assert (found.values["step"], problems) == (100, [])
    checkpoint.keep_newest(tmp_path, 2)
    assert checkpoint.found(tmp_path) == paths[1:]


@pytest.mark.parametrize("cut", [0, 1, 7, 8, 100, -1])
def test_a_file_cut_short_is_noticed(tmp_path, cut):
    older, newer = save(tmp_path, 1), save(tmp_path, 2)
    newer.write_bytes(newer.read_bytes()[:cut])
    with pytest.raises(CheckpointError, match="step-000000002"):
        checkpoint.load(newer)
    found, problems = checkpoint.newest(tmp_path)
    assert found.path == older
    assert len(problems) == 1


def test_any_altered_byte_is_noticed(tmp_path):
    path = save(tmp_path, 2)
    whole = path.read_bytes()
    header = int.from_bytes(whole[:8], "little")
    positions = [*range(8, 8 + header, 7), *range(8 + header, len(whole), 3)]
    for position in positions:
        altered = bytearray(whole)
        altered[position] ^= 1
        path.write_bytes(altered)
        try:
            loaded = checkpoint.load(path)
        except CheckpointError:
            continue
        # White space that pads the header carries nothing; all that is read must be as it was.
        assert loaded.values == VALUES | {"step": 2}, position
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(loaded.arrays[name], array)


def test_a_foreign_file_is_refused(tmp_path):
    path = tmp_path / "step-000000001.safetensors"
    save_file({"a": np.zeros(3)}, path)
    with pytest.raises(CheckpointError, match="not written by plaingrad"):
        checkpoint.load(path)
    with pytest.raises(CheckpointError, match="no usable checkpoint.*not written by plaingrad"):
        checkpoint.newest(tmp_path)
    with pytest.raises(CheckpointError, match="no usable checkpoint"):
        checkpoint.newest(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "{", "9" * 5000, "[1, 2]", "3", "null"], ids=lambda own: own[:8]
)
def test_values_that_cannot_be_read(tmp_path, text):
    path = tmp_path / "step-000000001.safetensors"
    arrays = {"params/a": np.zeros(3)}
    save_file(arrays, path, {"values": text, "sha256": checkpoint._digest(arrays, text)})
    with pytest.raises(CheckpointError, match="values"):
        checkpoint.load(path)


@pytest.mark.parametrize("kind", ["BF16", "F8_E4M3", "F99"])
@pytest.mark.parametrize("shape", [[0], [2**40, 0], [2**62, 2**62], [-1], "x"])
def test_a_head_of_another_kind(tmp_path, kind, shape):
    path = tmp_path / "step-000000001.safetensors"
    head = {"params/a": {"dtype": kind, "shape": shape, "data_offsets": [0, 0]}}
    text = json.dumps(head | {"__metadata__": {"values": "{}", "sha256": ""}}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    with pytest.raises(CheckpointError):
        checkpoint.load(path)


def test_a_failed_save_leaves_the_old_file_and_no_rubbish(tmp_path, monkeypatch):
    path = save(tmp_path, 1)
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save(path, ARRAYS, {"step": 99})
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [path.name]


def test_the_head_tells_how_many_parameters_there_are(tmp_path):
    path = tmp_path / "step-000000001.safetensors"
    arrays = {"params/w": np.ones((3, 4)), "params/b": np.ones(4), "best-params/w": np.ones((3, 4))}
    checkpoint.save(path, arrays, {})
    assert checkpoint.parameters(path) == 16
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(CheckpointError, match="cannot be read as a checkpoint"):
        checkpoint.parameters(path)
