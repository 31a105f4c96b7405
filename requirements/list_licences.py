"""Print the licence of each installed package that rexdense needs, from the packages' metadata.

    python requirements/list_licences.py

It covers the packages in requirements/*.txt and their dependencies.
"""

import re
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Beginning of a line in a requirements file or in Requires-Dist.
NAME = re.compile(r'[A-Za-z0-9][\w.-]*')


# Licences by words of their texts, if the metadata does not name them.
TEXTS = {
    'Apache-2.0': re.compile(r'Apache License\s+Version 2\.0'),
    'MIT': re.compile(r'Permission is hereby granted, free of charge'),
    'BSD': re.compile(r'Redistribution and use in source and binary forms'),
}


def normalised(name: str) -> str:
    """Return the normalised name of a package (PEP 503)."""
    return re.sub(r'[-_.]+', '-', name).lower()


def required_names() -> set[str]:
    """Return the packages in the requirements files of this folder."""
    lines = [line for path in HERE.glob('*.txt') for line in path.read_text().splitlines()]
    return {normalised(found[0]) for line in lines if (found := NAME.match(line))}


def installed(names: Iterable[str]) -> dict[str, metadata.Distribution]:
    """Return distributions by name: the given ones and, without extras, their dependencies."""
    found: dict[str, metadata.Distribution] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        needs = found[name].requires or ()
        waiting += [normalised(NAME.match(need)[0]) for need in needs if 'extra ==' not in need]
    return dict(sorted(found.items()))


def licence(distribution: metadata.Distribution) -> str:
    """Return the licence in the metadata: an SPDX expression, else classifiers, else a line. If it
    is only given as a text or a file, return its name."""
    about = distribution.metadata
    classifiers = [
        text.rpartition(' :: ')[2]
        for text in about.get_all('Classifier') or ()
        if text.startswith('License :: ') and text.count(' :: ') > 1
    ]
    stated = about.get('License-Expression') or ', '.join(classifiers) or about.get('License')
    lines = (stated or '').strip().splitlines()
    if len(lines) == 1:
        return lines[0]
    files = [file for file in distribution.files or () if file.name.startswith('LICEN')]
    texts = [stated or '', *(file.read_text() for file in files if file.locate().is_file())]
    named = [name for name, words in TEXTS.items() if any(map(words.search, texts))]
    return ', '.join(named) or 'not stated'


def main() -> None:
    """Print name, version and licence, one package per line."""
    rows = [
        (name, distribution.version, licence(distribution))
        for name, distribution in installed(required_names()).items()
    ]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, version, text in rows:
        print(f'{name:<{widths[0]}}  {version:<{widths[1]}}  {text}')


if __name__ == '__main__':
    main()
