"""Signatures and templates in their vendor's review."""

from __future__ import annotations
