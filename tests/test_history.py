"""The history of a run, as it is written and read back."""

import math
from contextlib import nullcontext

import pytest

from plaingrad import history
from plaingrad.callbacks import EpochRecord
from plaingrad.errors import RunError
from plaingrad.history import HistoryWriter


def record(step, val=0.5):
    return EpochRecord(step / 2, step, 0.1, 1.5, 0.75, val, 3.25)


def write(path, *steps, losses=None):
    writer = HistoryWriter(path)
    for step in steps:
        writer.append("step", step=step, loss=(losses or {}).get(step, step / 10))
        if step % 2 == 0:
            writer.append("epoch", **record(step).to_dict())
    writer.flush()
    return writer


def test_round_trip(tmp_path):
    path = tmp_path / "history.jsonl"
    writer = write(path, 1, 2, 3, 4)
    writer.append("end", test_accuracy=0.9)
    writer.flush()
    read = history.read(path)
    assert read.losses == [0.1, 0.2, 0.3, 0.4]
    assert read.records == [record(2), record(4)]
    assert read.result == {"test_accuracy": 0.9}
    assert history.read(tmp_path / "none.jsonl").losses == []


def test_floats_come_back_exactly(tmp_path):
    values = {1: 1 / 3, 2: 1e-310, 3: math.inf}
    write(tmp_path / "h", 1, 2, 3, losses=values)
    assert history.read(tmp_path / "h").losses == list(values.values())


def test_a_resumed_run_replaces_what_came_after_the_checkpoint(tmp_path):
    path = tmp_path / "h"
    writer = write(path, 1, 2, 3, 4, 5)
    writer.append("resume", step=2)
    writer.flush()
    write(path, 3, 4, losses={3: 30.0, 4: 40.0})
    read = history.read(path)
    assert read.losses == [0.1, 0.2, 30.0, 40.0]
    assert [r.step for r in read.records] == [2, 4]


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_line_cut_short_by_a_crash(tmp_path, cut):
    path = tmp_path / "h"
    write(path, 1, 3)
    path.write_bytes(path.read_bytes()[:-cut])
    assert history.read(path).losses in ([0.1], [0.1, 0.3])
    write(path, 5)
    assert history.read(path).losses[0] == 0.1


def test_a_line_that_is_not_a_record(tmp_path):
    path = tmp_path / "h"
    path.write_text(
        '{"type": "step", "step": 1, "loss": 2}\nnonsense\n{"type": "step", "step": 2, "loss": 2}\n'
    )
    with pytest.raises(RunError, match="line 2 is not a record"):
        history.read(path)


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        ("step", {"loss": "2"}),
        ("step", {"loss": [2.0]}),
        ("step", {"loss": True}),
        ("step", {"loss": None}),
        ("step", {"loss": 10**400}),
        ("step", {"step": 0}),
        ("step", {"step": "1"}),
        ("epoch", {"lr": "fast"}),
        ("epoch", {"train_accuracy": None}),
        ("epoch", {"val_accuracy": [0.5]}),
        ("epoch", {"step": math.nan}),
        ("epoch", {"step": 10**12}),
        ("epoch", {"step": -1}),
        ("resume", {"step": None}),
        ("look", {"step": 1.5}),
        ("look", {"step": True}),
    ],
)
def test_a_value_that_no_run_wrote(tmp_path, kind, wrong):
    path = tmp_path / "h"
    values = {"step": {"step": 1, "loss": 2.0}, "epoch": record(2).to_dict()}.get(kind, {"step": 1})
    for given, refused in ((values, False), (values | wrong, True)):
        path.unlink(missing_ok=True)
        writer = HistoryWriter(path)
        writer.append(kind, **given)
        writer.append("step", step=1, loss=1.0)
        writer.flush()
        with pytest.raises(RunError, match="line 1 is not a record") if refused else nullcontext():
            history.read(path)


def test_brackets_without_end(tmp_path):
    path = tmp_path / "h"
    path.write_text("[" * 200_000 + '\n{"type": "step", "step": 1, "loss": 2}\n')
    with pytest.raises(RunError, match="line 1 is not a record"):
        history.read(path)


def test_a_folder_in_place_of_the_file(tmp_path):
    with pytest.raises(RunError, match="cannot be read"):
        history.read(tmp_path)


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "h"
    path.write_bytes(
        b'{"type": "step", "step": 1, "loss": 2}\n\xff\xfe\n{"type": "step", "step": 2, "loss": 2}\n'
    )
    with pytest.raises(RunError, match="line 2 is not a record"):
        history.read(path)


def test_lines_are_kept_when_the_disk_takes_none(tmp_path):
    folder = tmp_path / "gone"
    writer = HistoryWriter(folder / "h")
    writer.append("step", step=1, loss=1.0)
    with pytest.raises(OSError, match="No such file"):
        writer.flush()
    folder.mkdir()
    writer.flush()
    assert history.read(folder / "h").losses == [1.0]
