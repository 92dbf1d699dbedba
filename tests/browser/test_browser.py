"""What the other tests rely on: whatever can be wrong with a page is noticed."""

import http.server
import threading

import pytest

from .page import DESK, PHONE

WHOLE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>t</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<style>:root { color-scheme: light dark } body { background: light-dark(#fff, #111); color: light-dark(#222, #ddd) }
svg { width: 200px } svg text { fill: #333 }
@media (prefers-color-scheme: dark) { svg { filter: invert(1) hue-rotate(180deg) } }</style></head>
<body><main><h1>Heading</h1><p>Text</p><button type="button">Press</button>
<div style="width: 100%; overflow-x: auto"><p style="width: 90rem">scrolled</p></div>
<svg role="img" aria-label="A drawing" viewBox="0 0 100 20"><text x="5" y="15">label</text></svg>
<img alt="A dot" src="data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7">
INSERT</main></body></html>"""


@pytest.fixture
def shown(page, tmp_path):
    """Shows the page with something put into it."""

    def show(insert="", **how):
        (tmp_path / "page.html").write_text(WHOLE.replace("INSERT", insert), "utf-8")
        return page.open(tmp_path / "page.html", **how)

    return show


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_nothing_is_wrong_with_a_whole_page(shown, width, dark):
    page = shown(width=width, dark=dark)
    assert page.faults() == []
    assert page.barriers() == []


@pytest.mark.parametrize(
    ("insert", "said"),
    [
        ("<script>nothing.there</script>", "not defined"),
        ("<script>console.error('no')</script>", "no"),
        ('<img alt="x" src="data:image/png;base64,AAAA"><script>fetch("http://127.0.0.1:9/")</script>', "127.0.0.1:9"),
        ('<img alt="x" src="nowhere.png">', "nowhere.png"),
        (
            '<meta http-equiv="Content-Security-Policy" content="script-src \'none\'"><script>1</script>',
            "Content Security Policy",
        ),
        ('<p style="width: 90rem">wide</p>', 'the page is 14'),
        ('<p style="width: 90rem">wide</p>', '<p> "wide" reaches from 8 to 1448'),
        (f'<p style="width: 9rem; white-space: nowrap; overflow: hidden">{"cut " * 30}</p>', "cuts off"),
        (
            '<svg role="img" aria-label="x" viewBox="0 0 9 9" width="9"><text y="5">far too long</text></svg>',
            "reaches out of its picture",
        ),
        ('<p style="font-size: 6px">small</p>', '<p> "small" is 6.0 pixels high'),
        (
            '<svg role="img" aria-label="x" viewBox="0 0 400 40"><text y="20" font-size="10">small</text></svg>',
            "is 5.0 pixels high",
        ),
        ('<p style="color: #888">pale</p>', '<p> "pale" has a contrast of 3.54'),
        ('<div style="opacity: .5"><p>pale</p></div>', "contrast"),
        ('<p style="background: #222; color: #333">dark</p>', "contrast"),
        ('<p style="background: color-mix(in srgb, #000 60%, transparent)">dark</p>', "contrast"),
        ('<svg role="img" aria-label="x"><text y="15" fill="#aaa" style="fill: #aaa">pale</text></svg>', "contrast"),
        ("<h1>Another</h1>", "not one <h1>"),
        ("<h3>Too deep</h3>", 'follows a heading of level 1'),
        ("<table><tr><th>head</th></tr></table>", '<th> "head" has no scope'),
        ('<img src="data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7">', "no alt"),
        ('<button type="button"></button>', "a button has no name"),
        ('<svg role="img" viewBox="0 0 9 9" width="9"></svg>', "has no name"),
        ('<a href="#nowhere">link</a>', "leads nowhere"),
        ('<p id="a">1</p><p id="a">2</p>', "the id a is there twice"),
        ('<p aria-labelledby="b">1</p>', "names b, which is not there"),
        ('<p tabindex="2">1</p>', "jumps the queue"),
    ],
)  # fmt: skip
def test_each_fault_is_noticed(shown, insert, said):
    page = shown(insert)
    assert any(said in fault for fault in page.faults() + page.barriers())


def test_a_picture_is_seen_through_its_filter(shown):
    """What is dark on light is light on dark once it is inverted, and without that could not be read."""
    inverted = "<style>@media (prefers-color-scheme: dark) { svg { filter: none !important } }</style>"
    assert shown(dark=True).faults() == []
    assert any("label" in fault for fault in shown(inverted, dark=True).faults())


def test_on_paper_nothing_can_be_scrolled(shown):
    assert shown().faults() == []
    assert any("cuts off" in fault for fault in shown(printed=True).faults())


def test_without_javascript_the_page_s_scripts_do_not_run(shown):
    script = "<script>document.title = 'ran'</script>"
    assert shown(script).driver.title == "ran"
    assert shown(script, script=False).driver.title == "t"


def test_what_an_alert_would_say_is_not_lost(shown):
    from selenium.common.exceptions import UnexpectedAlertPresentException

    with pytest.raises(UnexpectedAlertPresentException, match="planted"):
        shown("<script>alert('planted')</script>").faults()


def test_a_request_over_http_is_seen(page):
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = (
                WHOLE.replace("INSERT", '<img alt="x" src="/picture">').encode() if self.path == "/" else b""
            )
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            address = f"http://127.0.0.1:{server.server_port}"
            assert page.open(f"{address}/").requests == [f"{address}/picture"]
            assert any("404" in said for said in page.console)
        finally:
            server.shutdown()
