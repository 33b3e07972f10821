"""Costs of messages, and balances of accounts at vendors."""

from __future__ import annotations
