"""A module that cannot be imported, for a reason of its own."""

from __future__ import annotations

raise RuntimeError("a bug of the site")
