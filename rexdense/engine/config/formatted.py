"""A config that caches its formatted text."""

from mmengine.config import Config


class FormattedOnce(Config):
    """A config that formats its text again only if its values have changed.

    mmengine formats the text with yapf for the log, for the folder of the run and for each
    checkpoint. This takes up to a second each time, and leaves objects in reference cycles.
    Python's collector frees them late in a program with as many objects as one that has imported
    mmdet.

    Example:
        >>> config = FormattedOnce.of(Config(dict(a=1)))
        >>> config.a = 2
        >>> config.pretty_text == Config(dict(a=2)).pretty_text
        True
    """

    @classmethod
    def of(cls, config: Config) -> 'FormattedOnce':
        """Return a config with the same values, which both share."""
        result = cls.__new__(cls)
        result.__dict__.update(config.__dict__)
        return result

    @property
    def pretty_text(self) -> str:
        """The text as mmengine formats it."""
        values = repr(self.to_dict())
        known, text = self.__dict__.get('_formatted', (None, ''))
        if known != values:
            text = super().pretty_text
            # Config would store an attribute as a value of the config.
            self.__dict__['_formatted'] = values, text
        return text
