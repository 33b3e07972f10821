"""Switches between the answer formats that a vendor is known to use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(eq=False)
class Quirks:
    """The answer format that each vendor uses now."""

    apispace_envelope: bool = False
    ihuyi_string_codes: bool = False
    ihuyi_bom: bool = False
    qixuntong_int_status: bool = False
    aliyun_filings: Mapping[str, int] = field(default_factory=dict)
    """The `RegisterStatus` that Aliyun tells of each signature, by carrier; none: it tells nothing."""
