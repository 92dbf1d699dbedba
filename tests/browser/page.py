"""A page in the browser: what it asked for, what it complained of, what it looks like."""

from __future__ import annotations

import base64
import json
import math
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

PHONE, TABLET, DESK = 375, 768, 1280  # widths of a window in CSS pixels
PAPER = 718  # A4 with margins of a centimetre
_AROUND = 16  # CSS pixels around an element in its picture
_AUDIT = Path(__file__).with_name("audit.js").read_text("utf-8")
_NAMED_ROLES = {"button", "checkbox", "combobox", "heading", "image", "img", "link", "region", "textbox"}


def artifacts() -> Path:
    """Where pictures are kept: $PLAINGRAD_ARTIFACTS, else test-artifacts/ at the root of the checkout."""
    default = Path(__file__).parents[2] / "test-artifacts"
    folder = Path(os.environ.get("PLAINGRAD_ARTIFACTS") or default)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Page:
    """The one tab of a browser, and what was seen of the page in it since it was opened."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver
        self.address = "about:blank"
        self._console: list[str] = []
        self._requests: list[str] = []
        self._onpaper = False

    def open(
        self,
        address: Path | str,
        *,
        width: int = DESK,
        dark: bool = False,
        script: bool = True,
        printed: bool = False,
    ) -> Page:
        """Show a file or an address as a reader has it: window, light or dark, with or without JavaScript."""
        self.driver.get("about:blank")
        self._read_logs()
        self._console, self._requests = [], []
        self.cdp("Emulation.setScriptExecutionDisabled", value=not script)
        self.look(width=width, dark=dark, printed=printed)
        self.address = address.resolve().as_uri() if isinstance(address, Path) else address
        self.driver.get(self.address)
        return self

    def look(self, *, width: int = DESK, dark: bool = False, printed: bool = False) -> None:
        """Look at the page that is open in another way."""
        self._onpaper = printed
        self.cdp(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1,
            mobile=width < TABLET,
        )  # fmt: skip
        features = {"prefers-color-scheme": "dark" if dark else "light", "prefers-reduced-motion": "reduce"}
        self.cdp(
            "Emulation.setEmulatedMedia",
            media="print" if printed else "screen",
            features=[{"name": name, "value": value} for name, value in features.items()],
        )

    # What to do in it

    def cdp(self, command: str, **arguments: Any) -> Any:
        """A command of the Chrome DevTools Protocol."""
        return self.driver.execute_cdp_cmd(command, arguments)

    def run(self, script: str, *arguments: Any) -> Any:
        """What a script returns that runs in the page, even if the page's own may not."""
        return self.driver.execute_script(script, *arguments)

    def all(self, selector: str) -> list[WebElement]:
        """Every element that a CSS selector finds."""
        return self.driver.find_elements("css selector", selector)

    def one(self, selector: str) -> WebElement:
        """The first element that a CSS selector finds.  Raises NoSuchElementException."""
        return self.driver.find_element("css selector", selector)

    def text(self, selector: str = "body") -> str:
        """The text that a reader sees of an element."""
        return self.one(selector).text

    def press(self, *keys: str) -> None:
        """Press keys, one after the other, wherever the focus is."""
        from selenium.webdriver import ActionChains

        ActionChains(self.driver, duration=0).send_keys(*keys).perform()

    def point(self, element: WebElement, across: float = 0.5, down: float = 0.5) -> None:
        """Move the mouse to a place in an element, given as fractions of its width and height."""
        box = self.run(
            "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'});"
            "return arguments[0].getBoundingClientRect().toJSON()",
            element,
        )
        x, y = box["left"] + across * box["width"], box["top"] + down * box["height"]
        self.cdp("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def wait(self, condition: Callable[[], Any] | str, seconds: float = 30) -> Any:
        """What a condition (a function, or a script that returns something) says once it is true.

        Raises TimeoutException with what the page shows if it does not become true.
        """
        from selenium.webdriver.support.wait import WebDriverWait

        holds = partial(self.run, condition) if isinstance(condition, str) else condition
        waiting = WebDriverWait(self.driver, seconds, poll_frequency=0.05)
        return waiting.until(lambda _: holds(), f"never: {condition}; the page shows\n{self.text()[:2000]}")

    # What can be wrong with it

    @property
    def console(self) -> list[str]:
        """What the page complained of in the console: errors, refusals of the security policy, warnings."""
        self._read_logs()
        return self._console

    @property
    def requests(self) -> list[str]:
        """The addresses of all that was asked for, beside the page itself and what is written in it."""
        self._read_logs()
        return [
            url for url in self._requests if url != self.address and not url.startswith(("data:", "blob:"))
        ]

    def faults(self) -> list[str]:
        """What is wrong with the page as it is looked at now: complaints, requests, and what the audit sees.

        That is what reaches over an edge or is cut off, and text too small or too pale to read.
        """
        asked = [f"the page asked for {url}" for url in self.requests]
        seen = self.run(
            f"{_AUDIT}; const onPaper = arguments[0];"
            "return [...overflow(onPaper), ...tiny(onPaper), ...contrast()]",
            self._onpaper,
        )
        return [*self.console, *asked, *seen]

    def barriers(self) -> list[str]:
        """What stands in the way of somebody who hears the page or has no mouse, however it looks."""
        nodes = self.cdp("Accessibility.getFullAXTree")["nodes"]
        roles = [
            (node["role"]["value"], node.get("name", {}).get("value", "").strip())
            for node in nodes
            if not node["ignored"] and "role" in node
        ]
        nameless = [f"a {role} has no name" for role, name in roles if role in _NAMED_ROLES and not name]
        return self.run(f"{_AUDIT}; return structure()") + nameless

    # What it looks like

    def picture(self, name: str, *, whole: bool = True) -> Path:
        """Keep a picture of the page, or of what the window shows of it, among the artefacts."""
        path = artifacts() / f"{name.replace(' ', '-')}.png"
        path.write_bytes(self.png(whole=whole))
        return path

    def png(
        self, *, whole: bool = True, selector: str = "", height: float = math.inf, scale: float = 1
    ) -> bytes:
        """A picture of the page, of an element with a little around it, or of what the window shows.

        Not more of it than `height`, in CSS pixels; each of them is so many of the picture's.
        """
        if not whole:
            return self._shot()
        clip = self.cdp("Page.getLayoutMetrics")["cssContentSize"]
        if selector:
            box = self.run("return arguments[0].getBoundingClientRect().toJSON()", self.one(selector))
            left, top = self.run("return [scrollX, scrollY]")
            clip = {
                "x": max(box["x"] + left - _AROUND, 0),
                "y": box["y"] + top - _AROUND,
                "width": min(box["width"] + 2 * _AROUND, clip["width"]),
                "height": box["height"] + 2 * _AROUND,
            }
        clip |= {"height": min(clip["height"], height), "scale": scale}
        return self._shot(captureBeyondViewport=True, clip=clip)

    def pdf(self, name: str) -> Path:
        """Print the page on A4, into the artefacts."""
        self.look(printed=True)
        path = artifacts() / f"{name}.pdf"
        size = {"paperWidth": 8.27, "paperHeight": 11.69}
        margins = dict.fromkeys(("marginTop", "marginRight", "marginBottom", "marginLeft"), 0.4)
        sheet = self.cdp("Page.printToPDF", printBackground=False, **size, **margins)
        path.write_bytes(base64.b64decode(sheet["data"]))
        return path

    def _shot(self, **how: Any) -> bytes:
        return base64.b64decode(self.cdp("Page.captureScreenshot", optimizeForSpeed=True, **how)["data"])

    def _read_logs(self) -> None:
        self._console += [entry["message"] for entry in self.driver.get_log("browser")]
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self._requests.append(message["params"]["request"]["url"])
