"""Safe parsing of XML from untrusted sources."""

from pathlib import Path
from xml.etree import ElementTree
from xml.parsers import expat

from rexdense.datasets.text_files import read_limited
from rexdense.errors import DataError

MOST_BYTES = 16 * 2**20
MOST_NESTED = 64
"""Largest depth of nested elements; annotations have five levels."""


def parse_xml(path: Path) -> ElementTree.Element:
    """Return the root element of an XML file. Raise DataError if the file cannot be read, is too
    long, is truncated or no XML, or declares a document type.

    Refusing document types prevents entities that expand to gigabytes or to other files (billion
    laughs, XXE).
    """
    content = read_limited(path, MOST_BYTES)
    builder = ElementTree.TreeBuilder()
    depth = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MOST_NESTED:
            raise DataError(f'{path} has more than {MOST_NESTED} elements in one another')
        builder.start(name, attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(name)

    def refuse(*_: object) -> None:
        raise DataError(
            f'{path} declares a document type, whose entities may stand for anything: take the '
            'DOCTYPE line out'
        )

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(content, True)
        return builder.close()
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise DataError(f'{path} is torn or no XML ({error})') from None
