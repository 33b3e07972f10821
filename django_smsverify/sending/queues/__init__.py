"""How a worker is told of queued messages: only their ids leave, no number and no code."""

from __future__ import annotations
