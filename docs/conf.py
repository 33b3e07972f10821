"""How the documentation is built: `sphinx-build -W --keep-going -b html docs docs/_build/html`."""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.application import Sphinx

project = "django-smsverify"
author = "The django-smsverify authors"
copyright = author  # noqa: A001 - Sphinx's name

language = "en"
html_theme = "furo"
html_title = project
exclude_patterns = ["_build"]
# Commands and settings are full of double hyphens and straight quotes.
smartquotes = False
highlight_language = "none"
nitpicky = True

BETWEEN_CHINESE = re.compile(
    r"(?<=[\u2014-\u201d\u3000-\u9fff\uff00-\uffef])\n(?=[\u2014-\u201d\u3000-\u9fff\uff00-\uffef])"
)


def join_chinese_lines(app: Sphinx, doctree: nodes.document) -> None:
    """A new line in the source is a space on the page, which does not belong between two Chinese characters."""
    for text in list(doctree.findall(nodes.Text)):
        if "\n" in text and not isinstance(text.parent, nodes.FixedTextElement):
            text.parent.replace(text, nodes.Text(BETWEEN_CHINESE.sub("", text)))


def setup(app: Sphinx) -> None:
    app.connect("doctree-read", join_chinese_lines)
