"""What SMS cost, and what is left on the accounts."""

from __future__ import annotations
