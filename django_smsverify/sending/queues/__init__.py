"""Task queues that pass queued messages to workers; only message ids leave the process, no number and no code."""

from __future__ import annotations
