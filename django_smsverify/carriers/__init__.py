"""What carriers and vendors mean: their delivery codes, their number blocks. Data, with functions of data only."""

from __future__ import annotations
