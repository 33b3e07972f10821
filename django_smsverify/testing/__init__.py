"""For tests: of a site that sends codes, and of a gateway for another vendor."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .contract import FakeTransport as FakeTransport
    from .contract import GatewayContract as GatewayContract
    from .site import OutboxSMS as OutboxSMS
    from .site import SMSKit as SMSKit
    from .site import SMSTestMixin as SMSTestMixin

HOMES = {
    "FakeTransport": "contract",
    "GatewayContract": "contract",
    "OutboxSMS": "site",
    "SMSKit": "site",
    "SMSTestMixin": "site",
}


def __getattr__(name: str) -> Any:
    """Imports the names on first use: a test of a gateway needs no site, and pytest imports the plugin before any."""
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{HOMES[name]}", __name__), name)
