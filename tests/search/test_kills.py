"""A search that is killed, interrupted or told to end loses nothing: `--resume` finds what it would have found."""

import signal

import pytest

from .test_workers import found, gone, resume, tune, uninterrupted

HOW_TO_GO_ON = "go on with: plaingrad tune --resume study"
_AT = """
import os
from plaingrad.search import {module}
went_before = {module}.{name}
def signalled(*arguments, **named):
    os.kill(os.getpid(), {number})
    return went_before(*arguments, **named)
{module}.{name} = signalled
"""


def at(module, name, number):
    """Python that has a search signal itself whenever it calls that function."""
    return _AT.format(module=module, name=name, number=int(number))


def finishes(cwd):
    """The study goes on and ends as if nothing had happened; what its trials had done is not done again."""
    with resume(cwd) as search:
        search.ended()
    assert found(search.answer) == uninterrupted()
    return search


def begun_once(run):
    """Whether a run went on where it stood: whoever begins it anew begins its history anew, too."""
    return '"resume"' in (run / "history.jsonl").read_text()


def test_a_killed_search_takes_its_workers_with_it_and_goes_on(tmp_path):
    run = tmp_path / "study/trials/0001-seed-0"
    with tune(tmp_path) as search:
        search.until_begun(run)
        search.process.kill()
        search.process.wait()
        gone(search.workers)
        assert len(search.workers) == 1
    finishes(tmp_path)
    assert begun_once(run)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_after_a_step_and_resume_goes_on(tmp_path, number, code):
    run = tmp_path / "study/trials/0001-seed-0"
    with tune(tmp_path) as search:
        search.until_begun(run)
        search.process.send_signal(number)
        search.ended(code)
    assert search.err == f"plaingrad: interrupted after 1 trial; {HOW_TO_GO_ON}\n"
    assert (tmp_path / "study/results.csv").read_text().count(
        "\n"
    ) == 3  # the heads, one complete, one waiting
    finishes(tmp_path)
    assert begun_once(run)


def test_ctrl_c_while_the_best_is_trained_again(tmp_path):
    _, [(best, [seed], _)] = uninterrupted()
    run = tmp_path / f"study/final/{best:04d}-seed-{seed}"
    with tune(tmp_path) as search:
        search.until_begun(run)
        search.process.send_signal(signal.SIGINT)
        search.ended(130)
    assert search.err == f"plaingrad: interrupted while the best setting was trained again; {HOW_TO_GO_ON}\n"
    again = finishes(tmp_path)
    assert begun_once(run)
    assert again.out.count("training the best setting") == 1


def test_a_second_ctrl_c_ends_at_once_and_loses_nothing(tmp_path):
    hasty = "from plaingrad import interruption; interruption._BOUNCE_SECONDS = 0"
    twice = at("crew", "Crew.stop", signal.SIGINT)  # the second one comes while the workers are told to stop
    with tune(tmp_path, before=f"{hasty}\n{twice}") as search:
        search.until_begun(tmp_path / "study/trials/0001-seed-0")
        search.process.send_signal(signal.SIGINT)
        search.ended(130)
    assert search.err == "plaingrad: interrupted\n"
    finishes(tmp_path)


@pytest.mark.parametrize("place", ["tuning._search", "crew.Crew.__init__", "store.Store.claim"])
def test_ctrl_c_during_the_start(tmp_path, place):
    module, name = place.split(".", 1)
    with tune(tmp_path, before=at(module, name, signal.SIGINT)) as search:
        search.ended(130)
    assert search.err.startswith("plaingrad: interrupted")
    assert search.err.count("\n") == 1
    if (tmp_path / "study").is_dir():
        finishes(tmp_path)


def test_resume_while_it_is_searched_is_refused(tmp_path):
    with tune(tmp_path) as search:
        search.until_begun(tmp_path / "study/trials/0000-seed-0")
        with resume(tmp_path) as second:
            second.ended(2)
        assert f"is being searched by another process ({search.process.pid})" in second.err
        search.ended()
    assert found(search.answer) == uninterrupted()
