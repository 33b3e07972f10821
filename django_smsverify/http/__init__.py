"""Data of a request: the client's address and the body."""

from __future__ import annotations
