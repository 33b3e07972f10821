"""One file for each vendor, and what they have in common."""

from __future__ import annotations
