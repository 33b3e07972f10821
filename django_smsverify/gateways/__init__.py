"""Gateways: one file for each vendor, and the code that they share."""

from __future__ import annotations
