from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

import tests.configured  # noqa: F401
from tests.browsing import CHROMIUM

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ALONE = ("--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1")
CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """A Chromium without a network, with a camera that shows a test pattern."""
    from playwright.sync_api import sync_playwright

    if not CHROMIUM:
        pytest.skip("no Chromium is installed")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=[*ALONE, *CAMERA])
        yield browser
        browser.close()
