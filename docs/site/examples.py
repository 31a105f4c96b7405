"""Shows the sections ``Example:`` of docstrings as code, which Griffe takes for admonitions."""

import re
from typing import Any

import griffe


class Examples(griffe.Extension):
    """Reads ``Example:`` as the section ``Examples:`` of Google's style."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            text = re.sub(r'(?m)^(\s*)Example:$', r'\1Examples:', obj.docstring.value)
            obj.docstring.value = text
