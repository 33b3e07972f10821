"""Amounts as they are written for people."""

from __future__ import annotations

from decimal import Decimal


def plain(amount: Decimal | None) -> str:
    """An amount without trailing zeros: 241 and not 241.0000; empty for None."""
    return "" if amount is None else f"{amount.normalize():f}"
