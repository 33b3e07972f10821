"""What happened to one number, in sentences for an operator who is asked why no code came."""

from __future__ import annotations
