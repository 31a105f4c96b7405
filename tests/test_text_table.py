"""Tables in plain text."""

from rexdense.text_table import text_table


def test_wide_letters_and_accents_are_aligned():
    """A terminal shows a Chinese letter in two columns, and a combining accent in none."""
    rows = [['class', 'n'], ['细胞', '3'], ['ce\N{COMBINING ACUTE ACCENT}ll', '12']]
    assert text_table(rows).splitlines() == [
        'class   n',
        '细胞    3',
        'ce\N{COMBINING ACUTE ACCENT}ll   12',
    ]
