"""What a vendor would refuse in a sender name, a text or a value, known before the vendor is asked."""

from __future__ import annotations

from .contents import lint_content
from .findings import Finding, Level, marked, marked_html
from .rules import TextRules, value_problem
from .signatures import lint_signature

__all__ = [
    "Finding",
    "Level",
    "TextRules",
    "lint_content",
    "lint_signature",
    "marked",
    "marked_html",
    "value_problem",
]
