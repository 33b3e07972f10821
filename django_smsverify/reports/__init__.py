"""What vendors and carriers say about an SMS afterwards."""

from __future__ import annotations
