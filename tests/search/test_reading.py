"""What a study has found is read while somebody searches, who does not notice."""

import shutil
from pathlib import Path

import pytest

from plaingrad.errors import RunError
from plaingrad.search.folder import StudyFolder
from plaingrad.search.reading import read_study
from plaingrad.search.storage import opened

from .test_storage import a_plan, go_on


@pytest.fixture
def study(tmp_path):
    """The folder of a study of three trials, whose search has ended."""
    folder = StudyFolder.new(tmp_path / "study", "digits")
    folder.write_plan(a_plan())
    with opened(folder.path, folder.name, folder.plan(), None) as store:
        go_on(store, 3, lambda setting: setting["network.dropout"])
    return folder


def contents(folder: Path):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_study_is_read_while_it_is_searched(study):
    study.lock()
    with opened(study.path, study.name, study.plan(), None) as store:
        trial = store.claim(new=True)
        store.plan.space.suggest(trial)
        before = contents(study.path)
        found = read_study(study.path)
        assert contents(study.path) == before, "nothing was written, not even a lock"
        store.finish(trial, "complete", {"accuracies": [0.9]}, 0.9)
    study.unlock()
    assert [own.state for own in found.trials] == ["complete"] * 3 + ["running"]
    assert found.best.accuracy == max(own.settings["network.dropout"] for own in found.trials[:3])
    assert read_study(study.path).count("complete") == 4


def test_half_a_record_is_not_yet_there(study):
    journal = study.path / "journal.log"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code": 4, "work')
    assert read_study(study.path).count("complete") == 3
    assert journal.read_bytes().endswith(b'"work'), "whoever writes there is not done"
    journal.write_bytes(b"{}\n" + whole)
    with pytest.raises(RunError, match="line 1 is not a record of a study"):
        read_study(study.path)


def test_a_copy_under_another_name_and_without_write_permission(study, tmp_path):
    copy = tmp_path / "by another name"
    shutil.copytree(study.path, copy)
    copy.chmod(0o555)
    try:
        found = read_study(copy)
    finally:
        copy.chmod(0o755)
    assert (found.name, found.path, found.count("complete")) == (copy.name, copy, 3)


def test_what_is_no_study_or_not_yet_one(tmp_path, study):
    with pytest.raises(RunError, match="is not a study: it holds no study.toml"):
        read_study(tmp_path)
    with pytest.raises(RunError, match="stored in its own folder: leave out --storage"):
        read_study(study.path, storage="postgresql://nobody@localhost/none")
    (study.path / "journal.log").unlink()
    with pytest.raises(RunError, match="the study study has not begun"):
        read_study(study.path)
    study.write_plan(a_plan(shared=True))
    with pytest.raises(RunError, match="stored in a database: give its URL with --storage"):
        read_study(study.path)


def test_a_study_in_a_database(database, tmp_path):
    folder = StudyFolder(tmp_path / "shared", shared=True)
    folder.make()
    folder.write_plan(a_plan(shared=True))
    with pytest.raises(RunError, match="the study shared has not begun"):
        read_study(folder.path, storage=database)
    with opened(folder.path, folder.name, folder.plan(), database) as store:
        go_on(store, 2)
        assert read_study(folder.path, storage=database).count("complete") == 2
