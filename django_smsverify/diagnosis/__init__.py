"""Whether a provider works: what its vendor answers to a harmless question, in words for an operator."""

from __future__ import annotations
