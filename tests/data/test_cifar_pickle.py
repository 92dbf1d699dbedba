"""The reader of CIFAR's pickles reads what they hold and executes nothing."""

from __future__ import annotations

import contextlib
import copyreg
import io
import os
import pickle
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaingrad.data.cifar_pickle import read_pickle
from plaingrad.errors import DataError

from .conftest import pickled_array, pickled_batch, string

IMAGES = np.arange(12, dtype=np.uint8).reshape(3, 4)
BATCH = pickled_batch(IMAGES, [2, 0, 1])


def read(content: bytes) -> dict:
    return read_pickle(io.BytesIO(content), Path("data_batch_1"))


def test_reads_what_pickle_reads():
    ours, theirs = read(BATCH), pickle.loads(BATCH, encoding="bytes")  # noqa: S301
    assert ours.keys() == theirs.keys()
    np.testing.assert_array_equal(ours[b"data"], theirs[b"data"])
    assert ours[b"data"].dtype == np.uint8
    assert ours[b"labels"] == theirs[b"labels"] == [2, 0, 1]


def test_reads_a_real_batch_as_pickle_does(cifar10_folder):
    content = (cifar10_folder / "test_batch").read_bytes()
    ours, theirs = read(content), pickle.loads(content, encoding="bytes")  # noqa: S301
    assert ours.keys() == theirs.keys()
    np.testing.assert_array_equal(ours.pop(b"data"), theirs.pop(b"data"))
    assert ours == theirs


@given(
    st.recursive(
        st.integers(-(2**31), 2**31 - 1) | st.none() | st.just(False),
        lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.tuples(inner),
    )
)
def test_plain_values_survive(value):
    content = b"\x80\x02}" + string(b"key") + pickle.dumps(value, protocol=2)[2:-1] + b"s."
    assert read(content) == {b"key": value}


class Payload:
    def __init__(self, function, *arguments) -> None:
        self.reduced = (function, arguments)

    def __reduce__(self):
        return self.reduced


def _code_of(extension: int) -> bytes:
    return b"\x82" + bytes([extension])


def item(value: bytes) -> bytes:
    """A dict with one value, so that nothing but the value itself is wrong."""
    return b"\x80\x02}" + string(b"key") + value + b"s."


COMMAND = "touch EXECUTED"
RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"
ATTACKS = {
    "os.system": pickle.dumps(Payload(os.system, COMMAND), protocol=2),
    "subprocess": pickle.dumps(Payload(subprocess.call, ["touch", "EXECUTED"]), protocol=2),
    "eval": pickle.dumps(Payload(eval, "open('EXECUTED', 'w')"), protocol=2),
    "protocol 0": pickle.dumps(Payload(os.system, COMMAND), protocol=0),
    "protocol 4": pickle.dumps(Payload(os.system, COMMAND), protocol=4),
    "inside a list": pickle.dumps([1, [Payload(os.system, COMMAND)]], protocol=2),
    "INST": b"\x80\x02(" + string(COMMAND.encode()) + b"ios\nsystem\n.",
    "OBJ": b"\x80\x02(cos\nsystem\n" + string(COMMAND.encode()) + b"o.",
    "NEWOBJ": b"\x80\x02cnumpy\nndarray\n)\x81.",
    "persistent id": b"\x80\x02" + string(b"x") + b"Q.",
    "extension code": b"\x80\x02" + _code_of(240) + string(COMMAND.encode()) + b"\x85R.",
    "reduce of a reduce": b"\x80\x02"
    + RECONSTRUCT
    + b"cos\nsystem\n"
    + string(COMMAND.encode())
    + b"\x85R\x85R.",
    "_reconstruct of another class": item(
        RECONSTRUCT + b"cnumpy\ndtype\nK\x00\x85" + string(b"b") + b"\x87R"
    ),
    "_reconstruct of a filled array": item(
        RECONSTRUCT + b"cnumpy\nndarray\nK\x09\x85" + string(b"b") + b"\x87R"
    ),
    "a dtype of objects": item(b"cnumpy\ndtype\n" + string(b"O8") + b"K\x00K\x01\x87R"),
    "an array of objects": b"\x80\x02}" + string(b"data") + pickled_array(IMAGES, dtype=b"O8") + b"s.",
    "calling ndarray": b"\x80\x02cnumpy\nndarray\nK\x05\x85\x85R.",
    "calling a string": b"\x80\x02" + string(b"os.system") + string(COMMAND.encode()) + b"\x85R.",
    "BUILD on a name": b"\x80\x02" + RECONSTRUCT + b"}" + string(b"__code__") + b"K\x01sb.",
    "BUILD with attributes": BATCH[:-2]
    + string(b"x")
    + b"]"
    + b"N}"
    + string(b"__class__")
    + b"K\x01s\x86b"
    + b"u.",
    "a dotted name": b"\x80\x02cnumpy\ncore.multiarray._reconstruct\n.",
    "a name with a blank": b"\x80\x02cnumpy core.multiarray\n_reconstruct\n.",
}


@pytest.mark.parametrize("content", ATTACKS.values(), ids=ATTACKS)
def test_refuses_to_execute(content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="data_batch_1"):
        read(content)
    assert not list(tmp_path.iterdir())


def test_an_extension_code_that_was_used_before_stays_shut(tmp_path, monkeypatch):
    # `Unpickler.find_class` is not asked a second time: a restricted Unpickler would execute this.
    monkeypatch.chdir(tmp_path)
    copyreg.add_extension("os", "system", 240)
    try:
        assert pickle.loads(b"\x80\x02" + _code_of(240) + b".") is os.system  # noqa: S301
        with pytest.raises(DataError, match="does not occur"):
            read(ATTACKS["extension code"])
    finally:
        copyreg.remove_extension("os", "system", 240)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "content",
    {
        "empty": b"",
        "no dict": b"\x80\x02].",
        "a second value": b"\x80\x02}}.",
        "something after the end": BATCH + b".",
        "a huge string": b"\x80\x02T\xff\xff\xff\x7f.",
        "a negative length": b"\x80\x02T\xff\xff\xff\xff.",
        "an unknown memo": b"\x80\x02h\x07.",
        "an unhashable key": b"\x80\x02}](e]s.",
        "a nested key": b"\x80\x02}" + b"N" + b"\x85" * 200_000 + b"Ns.",
        "append to a dict": b"\x80\x02}Na.",
        "a value without its key": b"\x80\x02}(" + string(b"a") + b"u.",
        "a mark missing": b"\x80\x02]e.",
        "Fortran order": b"\x80\x02}" + string(b"d") + pickled_array(IMAGES, fortran=b"K\x01") + b"s.",
        "another protocol": b"\x80\x03}.",
        "text": b"\x80\x02this is no pickle",
    }.values(),
)
def test_malformed_files_are_refused(content):
    with pytest.raises(DataError, match="data_batch_1"):
        read(content)


def test_no_more_is_asked_for_than_the_file_holds():
    class Careful(io.BytesIO):
        def read(self, size=-1):
            assert 0 <= size <= len(self.getvalue())
            return super().read(size)

    for length in (b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff"):
        with pytest.raises(DataError, match="ends in the middle"):
            read_pickle(Careful(b"\x80\x02T" + length + b"."), Path("data_batch_1"))


@given(st.integers(0, len(BATCH) - 1))
def test_a_truncated_batch_is_refused(length):
    with pytest.raises(DataError):
        read(BATCH[:length])


@given(st.integers(0, len(BATCH) - 1), st.integers(0, 255))
def test_an_altered_byte_never_leads_anywhere_else(position, byte):
    altered = bytearray(BATCH)
    altered[position] = byte
    try:
        result = read(bytes(altered))
    except DataError:
        return
    assert isinstance(result, dict)


@given(st.binary(max_size=64))
def test_noise_is_refused_in_our_words(noise):
    with contextlib.suppress(DataError):
        assert isinstance(read(b"\x80\x02}" + noise + b"."), dict)
