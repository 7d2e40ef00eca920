"""A headless Chromium for tests of pages that must work from disk, without a network.

Needs the package `playwright` and an installed Chromium or Chrome, found on the PATH or named in $CHROMIUM; tests that ask
for the fixture `browser` are skipped, with the reason, where one is missing.
"""

import os
import shutil

import pytest

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
    """browse(path, anchor="", **options) -> the page in a browser, about which there must be no complaint in the end."""
    opened = []

    def opening(path, anchor="", **options):
        opened.append(open_page(browser, path.as_uri() + anchor, **options))
        return opened[-1][0]

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
    context.set_default_timeout(
        int(os.environ.get("BROWSER_TIMEOUT", 600)) * 1000
    )  # on a busy machine a page takes its time
    page = context.new_page()
    problems = []
    page.on("console", lambda m: problems.append(f"{m.type}: {m.text}") if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: problems.append(f"exception: {error}"))
    page.on("requestfailed", lambda request: problems.append(f"failed: {request.url[:200]}"))
    page.on("request", lambda r: None if r.url.startswith(LOCAL) else problems.append(f"network: {r.url[:200]}"))
    page.goto(url)
    return page, problems
