"""What a request brings: the address of the client, and the body."""

from __future__ import annotations
