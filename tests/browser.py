"""A headless Chromium for tests of pages that must work from disk, without a network.

Needs the package `playwright` and an installed Chromium or Chrome, found on the PATH or named in $CHROMIUM; tests that ask
for the fixture `browser` are skipped, with the reason, where one is missing.
"""

import base64
import gzip
import json
import os
import re
import shutil

import pytest

DATA = re.compile(
    r'(<script type="application/octet-stream" id="trace">)(.*?)(</script>)', re.DOTALL
)  # of a study page
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
LOCAL = ("file:", "data:", "blob:", "about:")


def executable():
    """The path of an installed Chromium, or None."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="session")
def browser():
    """A Chromium, through playwright."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="the extra `browser` is not installed")
    if executable() is None:
        pytest.skip("no Chromium on the PATH, and none named in $CHROMIUM")
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=executable(), args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def browse(browser):
    """browse(path, anchor="", **options) -> a study page in a browser, about which there must be no complaint in the end.

    whole: whether the file is, so that it comes to say that it is ready.
    """
    opened = []

    def opening(path, anchor="", whole=True, **options):
        opened.append(open_page(browser, path.as_uri() + anchor, **options))
        page = opened[-1][0]
        if whole:
            page.wait_for_selector("html[data-ready]", state="attached")
        return page

    yield opening
    for shown, _ in opened:
        shown.context.close()
    assert [problems for _, problems in opened if problems] == []


def open_page(browser, url, width=1280, height=900, dark=False, **options):
    """A page of a window of that size, and the list of its problems, which grows while the page lives: errors and warnings
    of the console, exceptions, requests that failed, and every request that leaves the disk. Other options are those of
    `browser.new_context`.
    """
    look = {"width": width, "height": height}
    context = browser.new_context(viewport=look, color_scheme="dark" if dark else "light", **options)
    context.set_default_timeout(10 * 60 * 1000)  # on a busy machine a page takes its time
    page = context.new_page()
    problems = []
    page.on("console", lambda m: problems.append(f"{m.type}: {m.text}") if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: problems.append(f"exception: {error}"))
    page.on("requestfailed", lambda request: problems.append(f"failed: {request.url[:200]}"))
    page.on("request", lambda r: None if r.url.startswith(LOCAL) else problems.append(f"network: {r.url[:200]}"))
    page.goto(url)
    return page, problems


def unpacked(text):
    """The data of a study page, as JSON values."""
    return json.loads(gzip.decompress(base64.b64decode(DATA.search(text)[2])))


def repacked(text, change):
    """A study page whose data, as JSON text, were changed."""

    def again(found):
        data = change(gzip.decompress(base64.b64decode(found[2])).decode())
        return found[1] + base64.b64encode(gzip.compress(data.encode())).decode() + found[3]

    return DATA.sub(again, text)
