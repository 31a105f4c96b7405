"""Headless Chromium for tests of web pages; skipped if it or selenium is not installed."""

import contextlib
import shutil
from collections.abc import Iterator
from typing import Any

import pytest


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """Yield a selenium driver that logs console messages and requests of pages."""
    selenium = pytest.importorskip('selenium.webdriver', reason='selenium is not installed')
    paths = [shutil.which('chromium'), shutil.which('chromedriver')]
    if None in paths:
        pytest.skip('chromium or chromedriver is not installed')
    options = selenium.ChromeOptions()
    options.binary_location = paths[0]
    for each in ('headless=new', 'no-sandbox', 'disable-gpu', 'window-size=1400,1000'):
        options.add_argument(f'--{each}')
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL', 'performance': 'ALL'})
    driver = selenium.Chrome(options, selenium.ChromeService(paths[1]))
    try:
        yield driver
    finally:
        driver.quit()
