"""Statistics of messages: daily sums, and questions that are answered from them."""

from __future__ import annotations
