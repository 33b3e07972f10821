"""The switches between the answer shapes that one vendor is known to use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(eq=False)
class Quirks:
    """Which of its possible answer shapes each vendor uses now."""

    apispace_envelope: bool = False
    ihuyi_string_codes: bool = False
    ihuyi_bom: bool = False
    qixuntong_int_status: bool = False
