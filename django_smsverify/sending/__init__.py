"""Sending codes and messages: from a phone number to the vendor's answer."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .bulk import send_bulk as send_bulk
    from .bulk import send_message as send_message
    from .bulk_result import BulkResult as BulkResult
    from .single import resend_code as resend_code
    from .single import send_code as send_code

HOMES = {
    "BulkResult": "bulk_result",
    "resend_code": "single",
    "send_bulk": "bulk",
    "send_code": "single",
    "send_message": "bulk",
}


def __getattr__(name: str) -> Any:
    """Imports the names on first use, because the app's configuration imports a module of this package."""
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{HOMES[name]}", __name__), name)
