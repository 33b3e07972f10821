"""The periodic job: asks vendors for events that they did not push, and recovers what a crash left."""

from __future__ import annotations
