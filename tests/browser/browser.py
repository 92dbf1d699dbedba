"""A headless Chromium of the tests' own: a fresh profile, no proxy, nothing downloaded, gone afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from unittest import mock

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # which Chromium needs to run as root, as in most containers
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--disable-features=Translate,OptimizationHints,MediaRouter",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-proxy-server",
    "--hide-scrollbars",  # pictures and widths that are the same everywhere
    "--force-color-profile=srgb",
    "--password-store=basic",
)

# Selenium would download a driver that it does not find, and tell its makers of the session.
_ENVIRONMENT = {
    "SE_OFFLINE": "true",
    "SE_AVOID_STATS": "true",
    "SE_AVOID_BROWSER_DOWNLOAD": "true",
    "NO_PROXY": "localhost,127.0.0.1",
    "no_proxy": "localhost,127.0.0.1",
}


def missing() -> str | None:
    """What has to be installed before a browser can be started, as a sentence; None if nothing."""
    for what, path in (("Chromium", _chromium()), ("chromedriver", shutil.which("chromedriver"))):
        if path is None:
            return f"there is no {what}: install Chromium with its driver (Debian: chromium chromium-driver)"
    return None


def _chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextlib.contextmanager
def browser() -> Iterator[Chrome]:
    """A running browser, quit at the end whatever happens.  There must be nothing `missing`."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options: Any = webdriver.ChromeOptions()
    options.binary_location = _chromium()
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with (
        mock.patch.dict(os.environ, _ENVIRONMENT),
        # Chromium may still write to its profile while it ends.
        tempfile.TemporaryDirectory(prefix="plaingrad-browser-", ignore_cleanup_errors=True) as profile,
    ):
        for flag in (*_FLAGS, f"--user-data-dir={profile}", "about:blank"):
            options.add_argument(flag)
        driver = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
        try:
            driver.set_page_load_timeout(60)
            driver.set_script_timeout(30)
            yield driver
        finally:
            driver.quit()
