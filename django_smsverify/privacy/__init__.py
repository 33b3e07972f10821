"""Personal data: how long it is kept, how it is forgotten and handed out, and who looked at it."""

from __future__ import annotations
