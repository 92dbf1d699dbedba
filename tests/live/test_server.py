"""What the server answers, to whom, and what it keeps to itself."""

from __future__ import annotations

import socket
import threading

import pytest

pytest.importorskip("starlette", reason="starlette is not installed: pip install 'plaingrad[watch]'")
pytest.importorskip("uvicorn", reason="uvicorn is not installed: pip install 'plaingrad[watch]'")

from plaingrad.errors import RunError
from plaingrad.live.app import Hosts
from plaingrad.live.pages import STRICT, next_due

from .serving import LONG, ask, end, epoch, listening_to, record, served

_PAGE = """<!doctype html><head>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'sha256-x='; connect-src 'self'">
</head><main>{}</main>"""


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "recipe.toml").write_text('secret = "a recipe"')
    return folder


def lines(folder):
    """A page that says how many lines the history has."""
    file = folder.history_file
    return _PAGE.format(len(file.read_text().splitlines()) if file.exists() else 0)


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    """A run that nobody trains."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "recipe.toml").write_text('secret = "a recipe"')
    (folder / "report.html").write_text("secret")
    return folder


@pytest.fixture(scope="module")
def port(quiet):
    with served(quiet, lines) as port:
        yield port


def test_the_page_and_its_headers(port):
    status, headers, body = ask(port)
    assert status == 200
    assert body == _PAGE.format(0)
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'sha256-x='; connect-src 'self'; frame-ancestors 'none'"
    )
    assert "Server" not in headers


@pytest.mark.parametrize("path", ["/", "/events", "/nothing"])
@pytest.mark.parametrize("host", ["127.0.0.1", "elsewhere.example"])
def test_every_answer_keeps_others_out(port, path, host):
    _, headers, _ = ask(
        port, path, method="HEAD", host=host, headers=[("Origin", "http://elsewhere.example")]
    )
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert not [name for name in headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize(
    "path",
    [
        "/recipe.toml",
        "/run/recipe.toml",
        "/../recipe.toml",
        "/./recipe.toml",
        "//recipe.toml",
        "/%2e%2e/recipe.toml",
        "/%2e%2e%2frecipe.toml",
        "/..%5crecipe.toml",
        "/%252e%252e/recipe.toml",
        "/checkpoints/",
        "/history.jsonl",
        "/history.jsonl%00.html",
        "/report.html",
        "/static/page.js",
        "/events/",
        "/events/../recipe.toml",
        "/etc/passwd",
        "//etc/passwd",
        "/../../../../../../../../etc/passwd",
        "/%2fetc%2fpasswd",
        "/file:///etc/passwd",
        "recipe.toml",
        "file:///etc/passwd",
        "*",
    ],
)
def test_no_path_of_the_file_system_can_be_asked_for(port, path):
    status, _, body = ask(port, path)
    assert status in (400, 404)
    assert "secret" not in body
    assert "root:" not in body


def test_no_path_of_this_run_either(port, quiet):
    status, _, body = ask(port, str(quiet / "recipe.toml"))
    assert status == 404
    assert "secret" not in body


def test_words_after_the_page_name_nothing(port):
    for path in ("/?file=recipe.toml", "/?../recipe.toml"):
        assert ask(port, path)[::2] == (200, _PAGE.format(0))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"])
@pytest.mark.parametrize("path", ["/", "/events"])
def test_only_reading(port, method, path):
    status, headers, body = ask(port, path, method=method)
    assert status == 405
    assert {name.strip() for name in headers["Allow"].split(",")} == {"GET", "HEAD"}
    assert "main" not in body


def test_head_has_no_body(port):
    for path, kind in (("/", "text/html"), ("/events", "text/event-stream")):
        status, headers, body = ask(port, path, method="HEAD")
        assert (status, body) == (200, "")
        assert headers["Content-Type"].startswith(kind)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LocalHost", "[::1]", "localhost:9000"])
def test_names_of_this_machine_are_answered(port, name):
    assert ask(port, host=name)[0] == 200


@pytest.mark.parametrize(
    "name",
    [
        "",  # no Host at all
        "elsewhere.example",
        "elsewhere.example:{port}",
        "localhost.elsewhere.example",
        "127.0.0.1.elsewhere.example:{port}",
        "elsewhere@127.0.0.1",
        "127.0.0.1:{port}@elsewhere.example",
        "192.168.1.7:{port}",
        "0.0.0.0:{port}",
        "[::2]",
        "localhost:",
        "localhost:port",
    ],
)
@pytest.mark.parametrize("path", ["/", "/events", "/nothing"])
def test_a_name_that_somebody_else_points_here_is_refused(port, name, path):
    status, _, body = ask(port, path, host=name.format(port=port))
    assert status in (400, 403)  # a request without Host is no request
    assert "main" not in body


def test_hosts_of_a_server_for_all():
    everywhere = Hosts(frozenset({"localhost", "box"}), addresses=True)
    for name in ("192.168.1.7:8765", "[fe80::1]:8765", "box:8765", "BOX"):
        assert name in everywhere
    for name in ("elsewhere.example", "192.168.1.7.elsewhere.example", "[zz]", "fe80::1", ""):
        assert name not in everywhere


def test_events_tell_of_a_new_page_and_of_the_end(run):
    with served(run, lines) as port, listening_to(port) as events:
        assert next(events) == ("page", 1)
        epoch(run, 10)
        assert next(events) == ("page", 2)
        assert ask(port)[2] == _PAGE.format(1)
        end(run)
        assert next(events) == ("end", 3)
        assert ask(port)[2] == _PAGE.format(2)
        record(run, "resume", step=10)  # the run goes on
        assert next(events) == ("page", 4)


@pytest.mark.parametrize("file", ["checkpoints/step-000000010.safetensors", "predictions.safetensors"])
def test_other_files_make_a_new_page_too(run, file):
    (run / "checkpoints").mkdir()
    with served(run, lines) as port, listening_to(port) as events:
        assert next(events) == ("page", 1)
        (run / "report.html").write_text("is made of the others")
        (run / file).write_text("new")
        assert next(events) == ("page", 2)


def test_what_is_there_already_is_told_at_once(run):
    end(run)
    with served(run, lines) as port, listening_to(port) as events:
        assert next(events) == ("end", 1)


def test_a_page_is_made_once_for_all_and_only_when_somebody_looks(run):
    made = []

    def render(folder):
        made.append(threading.get_ident())
        return lines(folder)

    with served(run, render) as port:
        epoch(run, 10)
        assert not made
        with listening_to(port) as one, listening_to(port) as other:
            assert next(one) == next(other) == ("page", 1)
            epoch(run, 20)
            assert next(one) == next(other) == ("page", 2)
            assert ask(port)[2] == ask(port)[2] == _PAGE.format(2)
    assert len(made) == 2


def test_who_leaves_takes_no_page_from_the_others(run):
    began, wait = threading.Event(), threading.Event()

    def render(folder):
        began.set()
        assert wait.wait(LONG)
        return lines(folder)

    with served(run, render) as port:
        with socket.create_connection(("127.0.0.1", port)) as impatient:
            impatient.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
            assert began.wait(LONG)
        answers = []
        patient = threading.Thread(target=lambda: answers.append(ask(port)))
        patient.start()
        wait.set()
        patient.join(LONG)
        assert answers[0][0] == 200


def test_pages_leave_the_processors_to_the_training():
    assert next_due(100.0, 100.1) == 102.0, "2 s from one to the next"
    assert next_due(100.0, 103.0) == pytest.approx(130.0), "a tenth of the time"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            RunError("history.jsonl: line 7 is not <b>a record</b>"),
            "line 7 is not &lt;b&gt;a record&lt;/b&gt;",
        ),
        (ZeroDivisionError("by <zero>"), "The page cannot be made: ZeroDivisionError: by &lt;zero&gt;"),
    ],
    ids=["said", "not foreseen"],
)
def test_a_page_that_cannot_be_made_is_a_sentence_until_the_next_change(run, error, words):
    def render(folder):
        if not folder.history_file.exists():
            raise error
        return lines(folder)

    with served(run, render) as port:
        status, headers, body = ask(port)
        assert status == 503
        assert words in body
        assert "Traceback" not in body
        assert headers["Content-Security-Policy"] == STRICT + "; frame-ancestors 'none'"
        with listening_to(port) as events:
            assert next(events) == ("page", 1)
            epoch(run, 10)
            assert next(events) == ("page", 2)
        assert ask(port)[0] == 200
