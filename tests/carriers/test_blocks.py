"""The carrier of a number, by its block."""

from __future__ import annotations

from collections import Counter

from django_smsverify.carriers.blocks import CARRIERS, carrier_of
from django_smsverify.enums import Carrier
from tests.folding import folded


@folded(
    "prefix, carrier",
    [
        ("130", Carrier.UNICOM),
        ("134", Carrier.MOBILE),
        ("1340", Carrier.MOBILE),
        ("1348", Carrier.MOBILE),
        ("1349", Carrier.TELECOM),
        ("139", Carrier.MOBILE),
        ("149", Carrier.TELECOM),
        ("162", Carrier.TELECOM),
        ("165", Carrier.MOBILE),
        ("167", Carrier.UNICOM),
        ("1610", Carrier.BROADNET),
        ("1619", None),
        ("1700", Carrier.TELECOM),
        ("1703", Carrier.MOBILE),
        ("1704", Carrier.UNICOM),
        ("1709", Carrier.UNICOM),
        ("1740", Carrier.TELECOM),
        ("1741", None),
        ("192", Carrier.BROADNET),
        ("199", Carrier.TELECOM),
        ("154", None),
        ("120", None),
    ],
)
def test_the_carrier_of_a_block(prefix: str, carrier: Carrier | None) -> None:
    assert carrier_of(f"+86{prefix:0<11}") == carrier


@folded("phone", ["+85291234567", "+14155552671", "+8613", "+86", "", "13800138000", "+8"])
def test_other_numbers_have_none(phone: str) -> None:
    assert carrier_of(phone) is None


def test_each_block_belongs_to_one_carrier() -> None:
    assert Counter(CARRIERS.values()) == {
        Carrier.MOBILE: 28,
        Carrier.UNICOM: 19,
        Carrier.TELECOM: 18,
        Carrier.BROADNET: 2,
    }
