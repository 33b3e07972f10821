"""Finds what a vendor would refuse in a signature, a content or a value, without calling the vendor."""

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
