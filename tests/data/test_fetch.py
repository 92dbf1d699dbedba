"""Fetching whole data sets from a local server, and checking them."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest

from plaingrad.data import SOURCES, fetch, verify
from plaingrad.data.dataset import Split
from plaingrad.data.files import DataFile, Layout
from plaingrad.data.sources import Archive, Source
from plaingrad.errors import DataError, DownloadError

FILES = {"one": os.urandom(300_000), "two": b"2" * 1_000}


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def tarred(contents: dict[str, bytes], *extra: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for member in extra:
            tar.addfile(member)
    return buffer.getvalue()


TAR = tarred({"toy/readme": b"hello", **{f"toy/{name}": content for name, content in FILES.items()}})


def read_nothing(folder: Path) -> tuple[Split, Split]:
    empty = Split(np.zeros((1, 1)), np.zeros(1, int))
    return empty, empty


def sources(*urls: str, tar: bytes = TAR) -> dict[str, Source]:
    """A data set "toy" in an archive, and "flat", whose files are downloaded as they are."""
    layout = Layout(
        "Toy", ("toy",), tuple(DataFile(n, digest(c), len(c)) for n, c in FILES.items()), read_nothing
    )
    flat = Layout("Flat", ("flat",), layout.files, read_nothing)
    archive = Archive("toy.tar.gz", len(tar), digest(tar), urls, tuple(f"toy/{name}" for name in FILES))
    own = tuple(
        Archive(n, len(c), digest(c), tuple(f"{url.rpartition('/')[0]}/{n}" for url in urls))
        for n, c in FILES.items()
    )
    common = {"summary": "", "homepage": "", "citation": ""}
    return {
        "toy": Source("toy", archives=(archive,), layouts=(layout,), **common),
        "flat": Source("flat", archives=own, layouts=(flat,), **common),
    }


@pytest.fixture
def toy(server):
    server.files["/a/toy.tar.gz"] = server.files["/b/toy.tar.gz"] = TAR
    for name, content in FILES.items():
        server.files[f"/a/{name}"] = server.files[f"/b/{name}"] = content
    return sources(f"{server.url}/a/toy.tar.gz", f"{server.url}/b/toy.tar.gz")


def check(folder: Path) -> None:
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == FILES


def test_an_archive_is_fetched_unpacked_and_removed(server, toy, tmp_path):
    seen: list[tuple[str, int, int]] = []
    folder = fetch("toy", tmp_path, progress=lambda *now: seen.append(now), sources=toy)
    assert folder == tmp_path / "toy"
    check(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]
    assert seen[-1] == ("toy.tar.gz", len(TAR), len(TAR))
    assert {path for path, _ in server.requests} == {"/a/toy.tar.gz"}


def test_files_without_an_archive(server, toy, tmp_path):
    check(fetch("flat", tmp_path, sources=toy))


def test_nothing_is_printed(server, toy, tmp_path, capfd, caplog):
    import pooch

    logger = pooch.get_logger()  # its handler keeps the standard error it was made with
    level = logger.level
    logger.addHandler(caplog.handler)
    try:
        fetch("toy", tmp_path, sources=toy)
    finally:
        logger.removeHandler(caplog.handler)
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []
    assert logger.level == level


@pytest.mark.parametrize("name", ["toy", "flat"])
def test_what_is_complete_is_not_fetched_again(server, toy, tmp_path, name):
    folder = fetch(name, tmp_path, sources=toy)
    server.requests.clear()
    for path in (tmp_path, folder):
        assert fetch(name, path, sources=toy) == folder
    assert server.requests == []


def test_one_damaged_file_of_several_is_fetched_alone(server, toy, tmp_path):
    folder = fetch("flat", tmp_path, sources=toy)
    (folder / "two").write_bytes(b"damaged")
    server.requests.clear()
    check(fetch("flat", tmp_path, sources=toy))
    assert server.requests == [("/a/two", None)]


def test_the_next_mirror_helps(server, toy, tmp_path):
    del server.files["/a/toy.tar.gz"]
    check(fetch("toy", tmp_path, sources=toy))
    assert [path for path, _ in server.requests] == ["/a/toy.tar.gz", "/b/toy.tar.gz"]


def test_wrong_bytes_are_discarded(server, toy, tmp_path):
    server.files["/a/toy.tar.gz"] = bytes(len(TAR))
    check(fetch("toy", tmp_path, sources=toy))
    assert server.requests == [("/a/toy.tar.gz", None), ("/b/toy.tar.gz", None)]


def test_another_mirror_takes_up_what_one_began(server, toy, tmp_path):
    half = len(TAR) // 2
    server.cut = [half, 0, 0]
    check(fetch("toy", tmp_path, sources=toy))
    assert server.requests[-1] == ("/b/toy.tar.gz", f"bytes={half}-")


def test_a_bad_beginning_is_started_anew(server, toy, tmp_path):
    (tmp_path / "toy.tar.gz.part").write_bytes(b"x" * 1_000)
    check(fetch("toy", tmp_path, sources=toy))
    assert server.requests == [("/a/toy.tar.gz", "bytes=1000-"), ("/a/toy.tar.gz", None)]


def test_an_interrupted_download_goes_on(server, toy, tmp_path):
    class Interrupt(BaseException):
        pass

    def stop(name: str, done: int, total: int) -> None:
        raise Interrupt

    with pytest.raises(Interrupt):
        fetch("toy", tmp_path, progress=stop, sources=toy)
    begun = (tmp_path / "toy.tar.gz.part").stat().st_size
    assert begun > 0
    check(fetch("toy", tmp_path, sources=toy))
    assert server.requests[-1] == ("/a/toy.tar.gz", f"bytes={begun}-")


def test_when_no_mirror_delivers_the_message_says_what_to_do(server, toy, tmp_path):
    server.files["/a/toy.tar.gz"] = bytes(len(TAR))
    del server.files["/b/toy.tar.gz"]
    with pytest.raises(DownloadError) as caught:
        fetch("toy", tmp_path, sources=toy)
    message = str(caught.value)
    for piece in (
        f"{server.url}/a/toy.tar.gz sent a file with the wrong SHA-256",
        f"{server.url}/b/toy.tar.gz answered 404",
        f"put it into {tmp_path} under the name toy.tar.gz",
        f"`plaingrad data fetch toy --data-dir {tmp_path}`",
    ):
        assert piece in message
    assert "\n" not in message
    assert not list(tmp_path.glob("toy.tar.gz*"))


@pytest.mark.parametrize("inside", [False, True], ids=["beside the folder", "in the folder"])
def test_an_archive_put_there_by_hand_is_used_and_kept(toy, server, tmp_path, inside):
    place = tmp_path / "toy" if inside else tmp_path
    place.mkdir(exist_ok=True)
    (place / "toy.tar.gz").write_bytes(TAR)
    folder = fetch("toy", tmp_path, sources=toy)
    assert all(ok for _, ok, _ in verify("toy", tmp_path, sources=toy))
    assert folder == tmp_path / "toy"
    assert (place / "toy.tar.gz").read_bytes() == TAR
    assert server.requests == []


def test_plain_files_put_there_by_hand_are_used(toy, server, tmp_path):
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    assert fetch("flat", tmp_path, sources=toy) == tmp_path
    assert server.requests == []


def test_a_damaged_archive_put_there_by_hand_is_replaced(toy, server, tmp_path):
    (tmp_path / "toy.tar.gz").write_bytes(TAR[:-1])
    check(fetch("toy", tmp_path, sources=toy))


def test_only_the_expected_members_are_taken(server, tmp_path):
    link = tarfile.TarInfo("toy/link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    contents = {"../escaped": b"!", "/tmp/absolute": b"!", "toy/three": b"!", "two": b"!"}
    tar = tarred(contents | {f"toy/{name}": content for name, content in FILES.items()}, link)
    server.files["/toy.tar.gz"] = tar
    check(fetch("toy", tmp_path / "data", sources=sources(f"{server.url}/toy.tar.gz", tar=tar)))
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize("kind", ["missing", "link", "longer"])
def test_an_archive_without_what_is_expected(server, tmp_path, kind):
    link = tarfile.TarInfo("toy/two")
    link.type, link.linkname = tarfile.SYMTYPE, "one"
    contents = {"toy/one": FILES["one"]} | ({"toy/two": b"2" * 1_001} if kind == "longer" else {})
    tar = tarred(contents, *([link] if kind == "link" else []))
    server.files["/toy.tar.gz"] = tar
    with pytest.raises(DataError, match="toy/two"):
        fetch("toy", tmp_path, sources=sources(f"{server.url}/toy.tar.gz", tar=tar))
    assert not (tmp_path / "toy" / "two").exists()


def test_a_folder_that_cannot_be_written(toy, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DownloadError, match="cannot write to"):
        fetch("toy", tmp_path / "file", sources=toy)


def test_verify_tells_each_file(toy, server, tmp_path):
    assert [(ok, message) for _, ok, message in verify("toy", tmp_path, sources=toy)] == [
        (False, "missing")
    ] * 2
    folder = fetch("toy", tmp_path, sources=toy)
    assert verify("toy", tmp_path, sources=toy) == [
        (str(folder / name), True, "SHA-256 as published") for name in FILES
    ]
    (folder / "one").write_bytes(bytes(len(FILES["one"])))
    (_, ok, message), (_, other, _) = verify("toy", folder, sources=toy)
    assert (ok, other) == (False, True)
    assert "SHA-256" in message


def test_sources_without_a_download(tmp_path):
    for name in ("images", "npz"):
        with pytest.raises(DataError, match="nothing to download"):
            fetch(name, tmp_path)
        with pytest.raises(DataError, match="no digests"):
            verify(name, tmp_path)
    assert fetch("digits").is_dir()
    assert verify("digits") == [("digits", True, "inside the package, 1,797 images")]
    with pytest.raises(DataError, match="did you mean 'cifar10'"):
        fetch("cifar-10")


def test_the_real_files_verify(cifar10_folder):
    assert all(ok for _, ok, _ in verify("cifar10"))
    assert fetch("cifar10") == cifar10_folder


@pytest.mark.parametrize(
    "source", [source for source in SOURCES.values() if source.archives], ids=lambda s: s.name
)
def test_the_registry_is_complete(source):
    assert source.homepage.startswith("http")
    assert source.citation
    assert len(set(source.classes)) == len(source.classes) == (100 if source.name == "cifar100" else 10)
    assert sorted(source.classes) == list(source.classes) or "mnist" in source.name
    for archive in source.archives:
        assert archive.size > 0
        assert len(archive.sha256) == 64
        assert len(archive.urls) >= 3
        assert all(archive.name in url for url in archive.urls)
    first = source.layouts[0]
    members = [member for archive in source.archives for member in archive.members]
    assert len(members or source.archives) == len(first.files)
    assert all(file.sha256 for file in first.files)
