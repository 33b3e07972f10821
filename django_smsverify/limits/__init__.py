"""Who may cause an SMS now, and how often."""

from __future__ import annotations
