"""Events from vendors after a send: delivery reports, replies and reviews."""

from __future__ import annotations
