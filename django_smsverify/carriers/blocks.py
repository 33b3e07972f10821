"""Whose a mainland number is, by its block.

Source: the ministry's allocation of network codes to the end of March 2023 (MIIT, 2023-06-05); 1610 came later.
Blocks of resellers count for the network that carries them. About 3 % of the numbers were ported since 2019; they keep
their block.
"""

from __future__ import annotations

from django_smsverify.enums import Carrier

BLOCKS = {
    Carrier.MOBILE: (
        "134 135 136 137 138 139 147 148 150 151 152 157 158 159 165 172 178 182 183 184 187 188 195 197 198 "
        "1703 1705 1706"
    ),
    Carrier.UNICOM: "130 131 132 145 146 155 156 166 167 171 175 176 185 186 196 1704 1707 1708 1709",
    Carrier.TELECOM: "133 149 153 162 173 177 180 181 189 190 191 193 199 1349 1700 1701 1702 1740",
    Carrier.BROADNET: "192 1610",
}
CARRIERS = {prefix: carrier for carrier, prefixes in BLOCKS.items() for prefix in prefixes.split()}


VIRTUAL = ("162", "165", "167", "170", "171")
"""Numbers of operators without a network of their own (虚拟运营商), which are sold without much ado."""


def is_virtual(phone: str) -> bool:
    """Whether a mainland number is one of a virtual operator."""
    return phone.startswith("+86") and phone[3:6] in VIRTUAL


def carrier_of(phone: str) -> Carrier | None:
    """The carrier that a number's block belongs to; None for other countries and for blocks without phones."""
    if not phone.startswith("+86"):
        return None
    # 1349 is a block of Telecom within Mobile's 134.
    return CARRIERS.get(phone[3:7]) or CARRIERS.get(phone[3:6])
