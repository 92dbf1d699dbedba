"""Downloading one file from servers that behave and servers that do not."""

from __future__ import annotations

import pytest

from plaingrad.data import download as module
from plaingrad.data.download import TransferError, download

CONTENT = bytes(range(256)) * 8_000  # 2 MB: several pieces


@pytest.fixture
def part(tmp_path):
    return tmp_path / "file.part"


def fetch(server, part) -> list[int]:
    seen: list[int] = []
    download(f"{server.url}/file", part, len(CONTENT), seen.append)
    return seen


def test_whole_in_one(server, part):
    server.files["/file"] = CONTENT
    seen = fetch(server, part)
    assert part.read_bytes() == CONTENT
    assert seen == sorted(seen)
    assert seen[-1] == len(CONTENT)
    assert server.requests == [("/file", None)]


def test_goes_on_where_it_stopped(server, part):
    server.files["/file"] = CONTENT
    part.write_bytes(CONTENT[:1_000])
    seen = fetch(server, part)
    assert part.read_bytes() == CONTENT
    assert seen[0] > 1_000
    assert server.requests == [("/file", "bytes=1000-")]


def test_starts_again_if_the_server_cannot_resume(server, part):
    server.files["/file"] = CONTENT
    server.ranges = False
    part.write_bytes(b"x" * 1_000)
    fetch(server, part)
    assert part.read_bytes() == CONTENT


def test_another_range_than_asked_for_is_not_appended(server, part):
    server.files["/file"] = CONTENT
    server.answered_range = f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}"
    part.write_bytes(CONTENT[:1_000])
    with pytest.raises(TransferError, match="answered 206"):
        fetch(server, part)
    assert part.read_bytes() == CONTENT[:1_000]


def test_nothing_to_do(server, part):
    part.write_bytes(CONTENT)
    assert fetch(server, part) == []
    assert server.requests == []


def test_a_part_that_is_too_long_is_no_beginning(server, part):
    server.files["/file"] = CONTENT
    part.write_bytes(CONTENT + b"x")
    fetch(server, part)
    assert part.read_bytes() == CONTENT


@pytest.mark.parametrize("send_length", [True, False])
def test_a_cut_connection_is_taken_up_again(server, part, send_length):
    server.files["/file"] = CONTENT
    server.cut = [700_000, 600_000]
    server.send_length = send_length
    fetch(server, part)
    assert part.read_bytes() == CONTENT
    assert server.requests == [("/file", None), ("/file", "bytes=700000-"), ("/file", "bytes=1300000-")]


def test_real_progress_resets_the_patience(server, part, monkeypatch):
    monkeypatch.setattr(module, "_REAL_PROGRESS", 100_000)
    server.files["/file"] = CONTENT
    server.cut = [200_000] * 10
    fetch(server, part)
    assert part.read_bytes() == CONTENT


def test_gives_up_and_keeps_what_it_has(server, part):
    server.files["/file"] = CONTENT
    server.cut = [100] * module.ATTEMPTS
    with pytest.raises(TransferError, match="cut the connection"):
        fetch(server, part)
    assert part.read_bytes() == CONTENT[: 100 * module.ATTEMPTS]
    assert len(server.requests) == module.ATTEMPTS


def test_a_missing_file(server, part):
    with pytest.raises(TransferError, match="answered 404"):
        fetch(server, part)
    assert len(server.requests) == 1
    assert not part.exists()


@pytest.mark.parametrize("content", [CONTENT + b"x", CONTENT[:-1], b"<html>503 of sorts</html>"])
def test_another_size_is_refused_before_it_is_written(server, part, content):
    server.files["/file"] = content
    with pytest.raises(TransferError, match=f"offers {len(content):,} bytes instead of 2,048,000"):
        fetch(server, part)
    assert not part.exists()


def test_an_endless_answer_is_not_stored(server, part):
    server.files["/file"] = CONTENT * 3
    server.send_length = False
    with pytest.raises(TransferError, match="sends more than"):
        fetch(server, part)
    assert part.stat().st_size <= len(CONTENT)


def test_a_part_longer_than_the_servers_file(server, part):
    server.files["/file"] = CONTENT[:500]
    part.write_bytes(CONTENT[:1_000])
    with pytest.raises(TransferError, match="another size"):
        fetch(server, part)


def test_no_server(part, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(module, "PAUSE", 0.0)
    with pytest.raises(TransferError, match="could not be reached"):
        download("http://127.0.0.1:9/file", part, 1, print)


def test_a_silent_server(part, monkeypatch):
    import socket

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(module, "PAUSE", 0.0)
    monkeypatch.setattr(module, "TIMEOUT", (1.0, 0.05))
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(TransferError, match="in time"):
        download(f"http://127.0.0.1:{silent.getsockname()[1]}/file", part, 1, print)


def test_no_address(part):
    with pytest.raises(TransferError):
        download("nonsense", part, 1, print)
