"""The periodic job: what was not pushed is asked for, and what a crash left is recovered."""

from __future__ import annotations
