"""What the documentation site does beyond Markdown."""

from tests.chromium import chromium
from tests.pages import ROOT

SCRIPT = 'docs/site/sort_tables.js'
ROWS = [('b2', '348M', '77.9'), ('b10', '1.53G', '-'), ('a1', '900k', '9.5')]
FILLER = [(f'c{number}', f'{number}G', str(number)) for number in range(3, 9)]


def test_the_site_loads_the_script():
    assert f'extra_javascript: [{SCRIPT}]' in (ROOT / 'mkdocs.yml').read_text(encoding='utf-8')


def test_a_click_on_a_heading_sorts_a_table(tmp_path):
    heads = ''.join(f'<th>{each}</th>' for each in ('name', 'MACs', 'top-1'))
    rows = ''.join(
        f'<tr>{"".join(f"<td>{cell}</td>" for cell in row)}</tr>' for row in (*ROWS, *FILLER)
    )
    script = (ROOT / SCRIPT).read_text(encoding='utf-8')
    table = f'<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'
    page = tmp_path / 'page.html'
    page.write_text(f'<meta charset="utf-8"><article>{table}</article><script>{script}</script>')
    with chromium() as browser:
        browser.get(page.as_uri())
        heads = browser.find_elements('css selector', 'th')

        def first_column():
            return [each.text for each in browser.find_elements('css selector', 'td:first-child')]

        heads[1].click()
        assert first_column() == ['c8', 'c7', 'c6', 'c5', 'c4', 'c3', 'b10', 'b2', 'a1']
        heads[1].click()
        assert first_column()[:3] == ['a1', 'b2', 'b10']
        assert heads[1].get_attribute('aria-sort') == 'ascending'
        # What has no value comes last, however it is sorted.
        for _ in range(2):
            heads[2].click()
            assert first_column()[-1] == 'b10'
        heads[0].click()
        assert first_column()[-3:] == ['b10', 'b2', 'a1']
        assert browser.get_log('browser') == []
