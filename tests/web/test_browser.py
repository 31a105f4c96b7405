"""The page as a visitor uses it, in a real browser."""

import io
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('mmdet')
pytest.importorskip('mmseg')
pytest.importorskip('gradio', reason='gradio is not installed')
pytest.importorskip('selenium', reason='selenium is not installed')

from PIL import Image
from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.tiny_run import ROOT

CHROMIUM = shutil.which('chromium') or shutil.which('google-chrome')
CHROMEDRIVER = shutil.which('chromedriver')
SECONDS = 30
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and CHROMEDRIVER), reason='chromium and chromedriver are not installed'
)


@pytest.fixture(scope='module')
def temporary(tmp_path_factory):
    """The folder in which the server keeps what it is given."""
    return tmp_path_factory.mktemp('temporary')


@pytest.fixture(scope='module')
def server(untrained_models, temporary):
    """The address of the page for three checkpoints, served as a user serves it."""
    command = [sys.executable, '-m', 'rexdense', 'web', '--port', '0', '--device', 'cpu']
    command += ['--max-size', '0.5', '--max-pixels', '1']
    command += [str(untrained_models[kind]) for kind in ('masks', 'labels', 'class')]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {'PYTHONPATH': str(ROOT), 'TMPDIR': str(temporary)},
    ) as process:
        try:
            said = []
            for line in process.stdout:
                said.append(line)
                if line.startswith('http://127.0.0.1:'):
                    break
            else:
                pytest.fail(''.join(said))
            yield line.split()[0]
        finally:
            process.terminate()


@pytest.fixture(scope='module')
def new_browser(server):
    """A function that opens the page as another visitor."""
    opened = []

    def open_page():
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for argument in ('--headless=new', '--no-sandbox', '--disable-dev-shm-usage'):
            options.add_argument(argument)
        options.add_argument('--window-size=1500,1000')
        options.set_capability('goog:loggingPrefs', {'performance': 'ALL'})
        driver = webdriver.Chrome(options, webdriver.ChromeService(CHROMEDRIVER))
        opened.append(driver)
        driver.get(server)
        wait_for(lambda: driver.find_elements(By.CSS_SELECTOR, '#image input[type=file]'))
        return driver

    yield open_page
    for driver in opened:
        driver.quit()


@pytest.fixture(scope='module')
def browser(new_browser):
    return new_browser()


def wait_for(condition):
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            found = condition()
        # What is seen is drawn anew meanwhile.
        except (NoSuchElementException, StaleElementReferenceException):
            continue
        if isinstance(found, np.ndarray) or found:
            return found
        time.sleep(0.1)
    raise AssertionError('nothing came of it')


def write_image(path, seed=0, size=(48, 64)):
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def upload(browser, *paths, into='image'):
    chosen = '\n'.join(map(str, paths))
    browser.find_element(By.CSS_SELECTOR, f'#{into} input[type=file]').send_keys(chosen)


def said(browser):
    return browser.find_element(By.ID, 'said').text


def picture(browser, of='picture'):
    """The picture that is seen; None where there is none."""
    images = browser.find_elements(By.CSS_SELECTOR, f'#{of} img')
    if not images or not (images[0].get_attribute('src') or '').startswith('http'):
        return None
    with urllib.request.urlopen(images[0].get_attribute('src')) as answer:
        return np.asarray(Image.open(io.BytesIO(answer.read())).convert('RGB')).astype(int)


def differs(one, other):
    return one.shape != other.shape or np.abs(one - other).mean() > 0.1


def type_into(browser, control, value):
    field = browser.find_element(By.CSS_SELECTOR, f'#{control} input[type=number]')
    field.send_keys(Keys.CONTROL, 'a')
    field.send_keys(str(value), Keys.TAB)


def choose(browser, control, text):
    """Choose an entry of a dropdown by a part of its text."""
    browser.find_element(By.CSS_SELECTOR, f'#{control} input').click()
    wait_for(
        lambda: [
            option.click() or True
            for option in browser.find_elements(By.CSS_SELECTOR, '[role=option]')
            if text in option.text
        ]
    )


def start_anew(browser, server):
    browser.get(server)
    wait_for(lambda: browser.find_elements(By.CSS_SELECTOR, '#image input[type=file]'))


def test_an_image_and_its_settings(browser, tmp_path):
    """Upload, move the sliders, compare the pictures, and take the zip home."""
    upload(browser, write_image(tmp_path / 'mine.png'))
    wait_for(lambda: said(browser).startswith('mine.png: '))
    type_into(browser, 'score', 0.05)
    wait_for(lambda: 'mine.png: 0 ' not in said(browser))
    before = wait_for(lambda: picture(browser))
    type_into(browser, 'opacity', 0.95)
    wait_for(lambda: differs(picture(browser), before))
    type_into(browser, 'score', 0.99)
    wait_for(lambda: said(browser) == 'mine.png: 0 objects')
    bare = wait_for(lambda: picture(browser))
    assert differs(bare, before)
    type_into(browser, 'score', 0.05)
    wait_for(lambda: '0 objects' not in said(browser)[-10:])
    everything = said(browser)
    choose(browser, 'classes', 'b')
    wait_for(lambda: said(browser) != everything)
    browser.find_element(By.ID, 'make-zip').click()
    link = wait_for(lambda: browser.find_elements(By.CSS_SELECTOR, '#zip a[href*=predictions]'))
    with urllib.request.urlopen(link[0].get_attribute('href')) as answer:
        archive = zipfile.ZipFile(io.BytesIO(answer.read()))
    found = json.loads(archive.read('predictions.json'))
    assert [image['file_name'] for image in found['images']] == ['mine.png']
    assert {each['category_id'] for each in found['annotations']} <= {2}
    assert archive.testzip() is None and 'mine.png' in archive.namelist()


def test_other_tasks_and_several_images(browser, server, temporary, tmp_path):
    start_anew(browser, server)
    for label in browser.find_elements(By.CSS_SELECTOR, '#task label'):
        if label.text == 'Segmentation':
            label.click()
    wait_for(lambda: 'labels' in value_of(browser, 'checkpoint'))
    wait_for(lambda: not shown(browser, 'score'))
    press_tab(browser, 'Several images')
    wait_for(lambda: browser.find_elements(By.CSS_SELECTOR, '#files input[type=file]'))
    upload(browser, *(write_image(tmp_path / f'{n}.png', n) for n in range(3)), into='files')
    wait_for(lambda: said(browser).startswith('0.png: '))
    first = wait_for(lambda: picture(browser))
    thumbnails = wait_for(lambda: browser.find_elements(By.CSS_SELECTOR, '#gallery button img'))
    assert len(thumbnails) == 3
    thumbnails[2].click()
    wait_for(lambda: said(browser).startswith('2.png: '))
    assert differs(wait_for(lambda: picture(browser)), first)
    press_tab(browser, 'Outputs by scale')
    assert wait_for(lambda: picture(browser, 'scales')).shape[1] > first.shape[1]
    choose(browser, 'checkpoint', 'labels')
    kept = [path for path in temporary.rglob('*') if path.is_file()]
    assert {'0.png', '1.png', '2.png'} <= {path.name for path in kept}
    assert [path for path in kept if not path.stat().st_size] == []


def value_of(browser, control):
    return browser.find_element(By.CSS_SELECTOR, f'#{control} input').get_attribute('value')


def shown(browser, control):
    return any(each.is_displayed() for each in browser.find_elements(By.ID, control))


def press_tab(browser, title):
    wait_for(
        lambda: [
            tab.click() or True
            for tab in browser.find_elements(By.CSS_SELECTOR, '[role=tab]')
            if tab.text == title and tab.is_displayed()
        ]
    )


@pytest.mark.parametrize(
    ('name', 'content', 'expected'),
    [
        ('broken.png', None, 'image broken.png cannot be decoded: it is damaged or no image'),
        ('clip.png', b'\0\0\0\x18ftypmp42' + b'\0' * 500, 'clip.png is no image'),
        ('wide.png', (64, 20_000), 'wide.png has 20000 x 64 pixels, 1 million: at most 1 million'),
    ],
)
def test_uploads_that_are_refused(name, content, expected, browser, server, tmp_path):
    path = tmp_path / name
    if isinstance(content, tuple):
        Image.new('L', content[::-1]).save(path)
    else:
        path.write_bytes(content or write_image(path).read_bytes()[:300])
    start_anew(browser, server)
    upload(browser, path)
    wait_for(lambda: said(browser).startswith(expected))
    assert picture(browser) is None


def test_a_file_over_the_size_is_refused(browser, server, tmp_path):
    path = tmp_path / 'large.png'
    write_image(path, size=(500, 500))
    assert path.stat().st_size > 500_000
    start_anew(browser, server)
    upload(browser, path)
    wait_for(lambda: 'exceed the maximum' in browser.find_element(By.TAG_NAME, 'body').text.lower())


def test_two_visitors_at_once(new_browser, browser, server, tmp_path):
    start_anew(browser, server)
    other = new_browser()
    upload(browser, write_image(tmp_path / 'one.png', 1))
    upload(other, write_image(tmp_path / 'two.png', 2, (64, 48)))
    wait_for(lambda: said(browser).startswith('one.png: '))
    wait_for(lambda: said(other).startswith('two.png: '))
    one, two = wait_for(lambda: picture(browser)), wait_for(lambda: picture(other))
    assert one.shape[0] < one.shape[1] and two.shape[0] > two.shape[1]


def test_nothing_is_loaded_from_elsewhere(browser, server):
    """Of all requests since the browser was opened."""
    entries = [json.loads(entry['message'])['message'] for entry in browser.get_log('performance')]
    asked = {
        entry['params']['requestId']: entry['params']['request']['url']
        for entry in entries
        if entry['method'] == 'Network.requestWillBeSent'
    }
    refused = {
        entry['params']['requestId']
        for entry in entries
        if entry['method'] == 'Network.loadingFailed'
        and entry['params'].get('blockedReason') == 'csp'
    }
    sent = {url for number, url in asked.items() if number not in refused}
    assert any(url.startswith(server) for url in sent)
    own = (server, 'data:', 'blob:', 'chrome:', 'about:')
    assert [url for url in sent if not url.startswith(own)] == []


@pytest.mark.parametrize('place', ['/etc/passwd', str(ROOT / 'setup.py'), str(Path.cwd())])
def test_files_of_the_machine_are_not_served(place, server):
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f'{server}/gradio_api/file={place}')
    assert caught.value.code in (403, 404)
