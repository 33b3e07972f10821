"""Signatures and templates at the vendor: submitted, reviewed, changed and deleted."""

from __future__ import annotations
