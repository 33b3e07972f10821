"""Attacks on a site that sends codes, each with the defence that stops it."""

from __future__ import annotations
