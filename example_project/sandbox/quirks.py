"""Switches between the answer formats that a vendor is known to use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(eq=False)
class Quirks:
    """The answer format that each vendor uses now."""

    apispace_envelope: bool = False
    ihuyi_string_codes: bool = False
    ihuyi_bom: bool = False
    qixuntong_int_status: bool = False
