"""A module that raises an error when it is imported."""

from __future__ import annotations

raise RuntimeError("a bug of the site")
