"""Phone verification by SMS code for Django sites in China, over several SMS gateways."""

from __future__ import annotations

__version__ = "0.1.0"
