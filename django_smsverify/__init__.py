"""Phone verification by SMS code for Django sites in China, over several SMS gateways."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .sending import resend_code, send_code, send_message
    from .verifying import redeem_proof, verify_code

__version__ = "0.2.0.dev0"
__all__ = ["redeem_proof", "resend_code", "send_code", "send_message", "verify_code"]

HOMES = {
    "redeem_proof": "verifying",
    "resend_code": "sending",
    "send_code": "sending",
    "send_message": "sending",
    "verify_code": "verifying",
}


def __getattr__(name: str) -> Any:
    """Imports the Python API on first use, because its models need a configured Django."""
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{HOMES[name]}", __name__), name)
