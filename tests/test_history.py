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


def test_times_add_up_and_those_of_a_part_done_again_do_not_count(tmp_path):
    path = tmp_path / "h"
    writer = HistoryWriter(path)
    for step, seconds in ((2, {"update": 1.0, "batches": 2}), (4, {"update": 0.5}), (5, {"writing": 3.0})):
        writer.append("time", step=step, seconds=seconds)
    writer.flush()
    assert history.read(path).times == {"update": 1.5, "batches": 2.0, "writing": 3.0}
    writer.append("resume", step=4)
    writer.append("time", step=6, seconds={"update": 0.25})
    writer.flush()
    assert history.read(path).times == {"update": 1.75, "batches": 2.0}
    assert history.read(path).up_to(2).times == {"update": 1.0, "batches": 2.0}


def test_a_run_of_a_version_that_noted_no_time_and_no_data(tmp_path):
    """Lines as a version wrote them that knew no others."""
    path = tmp_path / "h"
    path.write_text(
        '{"type": "setup", "step": 0, "objective": "softmaxcrossentropy", "rule": "adam", "lr": 0.01}\n'
        '{"type": "step", "step": 1, "loss": 2.5}\n'
        '{"type": "epoch", "epoch": 1.0, "step": 1, "lr": 0.01, "loss": 2.5, "train_accuracy": 0.5, '
        '"val_accuracy": null, "seconds": 0.25}\n'
        '{"type": "end", "run": "runs/old", "best_val_accuracy": null, "test_accuracy": 0.5, "seconds": 0.25, '
        '"peak_memory_mb": 100.0, "epochs": 1.0, "steps": 1, "stopped_early": false, "checkpoint": null, '
        '"report": "runs/old/report.html"}\n'
    )
    read = history.read(path)
    assert read.times == {}
    assert [line["type"] for line in read.seen] == ["setup"]
    assert read.result["steps"] == len(read.losses) == len(read.records) == 1


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
        ("epoch", {"train_accuracy": math.nan}),
        ("epoch", {"val_accuracy": 1.1}),
        ("epoch", {"epoch": math.inf}),
        ("epoch", {"epoch": -1}),
        ("epoch", {"epoch": 1e-320}),
        ("epoch", {"seconds": math.nan}),
        ("end", {"seconds": 10**400}),
        ("epoch", {"step": math.nan}),
        ("epoch", {"step": 10**12}),
        ("epoch", {"step": -1}),
        ("resume", {"step": None}),
        ("time", {"step": None}),
        ("time", {"seconds": 3.0}),
        ("time", {"seconds": [3.0]}),
        ("time", {"seconds": {"update": "3"}}),
        ("time", {"seconds": {"update": None}}),
        ("time", {"seconds": {"update": -1.0}}),
        ("time", {"seconds": {"update": math.nan}}),
        ("time", {"seconds": {"update": math.inf}}),
        ("time", {"seconds": {"update": 10**400}}),
        ("look", {"step": 1.5}),
        ("look", {"step": True}),
    ],
)
def test_a_value_that_no_run_wrote(tmp_path, kind, wrong):
    path = tmp_path / "h"
    whole = {
        "step": {"step": 1, "loss": 2.0},
        "epoch": record(2).to_dict(),
        "time": {"step": 1, "seconds": {"update": 0.5}},
    }
    values = whole.get(kind, {"step": 1})
    for given, refused in ((values, False), (values | wrong, True)):
        path.unlink(missing_ok=True)
        writer = HistoryWriter(path)
        writer.append(kind, **given)
        writer.append("step", step=1, loss=1.0)
        writer.flush()
        with pytest.raises(RunError, match="line 1 is not a record") if refused else nullcontext():
            history.read(path)


def test_damaged_lines_are_passed_over_where_somebody_hears_of_them(tmp_path):
    path, heard = tmp_path / "h", []
    write(path, 1, 2, 3, 4)
    assert history.read(path, warn=heard.append) == history.read(path)
    assert heard == []
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b"\xff\n", *lines[1:]]))
    read = history.read(path, warn=heard.append)
    assert (read.losses, read.records) == ([0.1, 0.2, 0.3, 0.4], [record(2), record(4)])
    assert heard.pop() == f"{path}: line 2 is not a record of a run; it is passed over"
    path.write_bytes(b"".join([lines[0], b"\xff\n", b"3\n", b'{"type": "step"}\n', *lines[1:], b'{"cut']))
    assert history.read(path, warn=heard.append) == read
    assert heard == [f"{path}: line 2 is not a record of a run; 3 such lines are passed over"]
    with pytest.raises(RunError, match="cannot be read"):
        history.read(tmp_path, warn=heard.append)


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


def test_a_step_that_so_few_lines_cannot_tell_of(tmp_path):
    path, heard = tmp_path / "h", []
    write(path, *range(1, 41))
    whole = history.read(path)
    lines = path.read_bytes().splitlines(keepends=True)
    far = [line.replace(b'"step": 40', b'"step": 1000000000') for line in lines[-2:]]
    path.write_bytes(b"".join([*lines[:30], *far, *lines[30:]]))
    assert history.read(path, warn=heard.append) == whole
    assert "line 31 is not a record of a run; 2 such lines" in heard[0]
    with pytest.raises(RunError, match="line 31 is not a record"):
        history.read(path)


def test_steps_whose_lines_were_lost_do_not_cost_those_that_follow(tmp_path):
    path, heard = tmp_path / "h", []
    write(path, *range(1, 101))
    data = path.read_bytes()
    path.write_bytes(data[:1000] + bytes(2000) + data[3000:])  # as a disk may leave a block
    read = history.read(path, warn=heard.append)
    assert [own.step for own in read.records][-30:] == list(range(42, 101, 2))
    assert "it is passed over" in heard[0]


def test_a_run_resumed_without_what_came_before(tmp_path):
    path = tmp_path / "h"
    writer = HistoryWriter(path)
    writer.append("resume", step=10_000)
    writer.flush()
    write(path, *range(10_001, 10_011))
    read = history.read(path)
    assert len(read.losses) == 10
    assert [own.step for own in read.records] == [10_002, 10_004, 10_006, 10_008, 10_010]


def test_evaluations_alone_may_be_of_any_step(tmp_path):
    path = tmp_path / "h"
    writer = HistoryWriter(path)
    for step in (5000, 10_000):
        writer.append("epoch", **record(step).to_dict())
    writer.flush()
    assert history.read(path).records == [record(5000), record(10_000)]
