"""The accepted spellings of phone numbers, and the numbers that are refused."""

from __future__ import annotations

import pytest
from django.test import override_settings

from django_smsverify.exceptions import InvalidPhone, PhoneNotSupported, SMSVerifyError
from django_smsverify.phones import block, mask, national, parse
from tests.folding import folded

from .conftest import PHONE

HONG_KONG = "+85251234567"


@folded(
    "written",
    [
        "13800138000",
        " 13800138000 ",
        "138 0013 8000",
        "138-0013-8000",
        "138.0013.8000",
        "138 00138000",
        "138\u00a00013\u00a08000",
        "138\u30000013\u30008000",
        "+8613800138000",
        "+86 138 0013 8000",
        "+86-138-0013-8000",
        "+86 (0)138 0013 8000",
        "(86)13800138000",
        "8613800138000",
        "86 138 0013 8000",
        "008613800138000",
        "0086 138-0013-8000",
        "１３８００１３８０００",
        "＋８６　１３８００１３８０００",
        "１３８－００１３－８０００",
        "(+86)13800138000",
        "\u202d13800138000\u202c",
        "138\u20110013\u20138000",
        "138\u22120013\u22128000",
        "138\u30fc0013\u30fc8000",
        "138\u200b0013\u2060800\ufe0f0",
        "013800138000",
        "+86 013800138000",
    ],
)
def test_a_number_is_read_in_every_common_spelling(written: str) -> None:
    assert parse(written) == PHONE


@pytest.mark.parametrize("spelled", ["{}", "+86{}", "+86 0{}", "86{}", "0086 {}", "0{}", "(86){}", "+86-{}"])
def test_in_china_13_to_19_and_nine_digits_are_a_mobile_number(spelled: str) -> None:
    """Whatever the metadata contains: 149 and 140 are in service, 146 and 148 are for machines."""
    for prefix in range(130, 200):
        for rest in ("00138000", "99999999"):
            assert parse(spelled.format(f"{prefix}{rest}")) == f"+86{prefix}{rest}"


@pytest.mark.parametrize("written", ["+8614900138000", "+86 0 14900138000", "+8613800138000"])
def test_a_number_of_china_is_refused_if_china_is_not_served(written: str) -> None:
    with override_settings(SMSVERIFY={"REGIONS": ("HK",)}), pytest.raises(PhoneNotSupported):
        parse(written)
    with override_settings(SMSVERIFY={"REGIONS": ("HK", "CN")}):
        assert parse(written)[:3] == "+86"


@pytest.mark.parametrize("written", ["14900138000", "8614900138000", "014900138000"])
def test_without_a_plus_china_is_assumed_only_as_the_first_region(written: str) -> None:
    with override_settings(SMSVERIFY={"REGIONS": ("HK", "CN")}), pytest.raises(SMSVerifyError):
        parse(written)


@pytest.mark.parametrize("written", ["13800138000", "+8613800138000", "138 0013 8000"])
def test_parsing_twice_changes_nothing(written: str) -> None:
    assert parse(parse(written)) == parse(written)


@folded(
    "written, error",
    [
        ("", InvalidPhone),
        ("   ", InvalidPhone),
        ("+", InvalidPhone),
        ("-----------", InvalidPhone),
        ("13800", InvalidPhone),
        ("1380013800", InvalidPhone),
        ("138001380000", InvalidPhone),
        ("12345678901", InvalidPhone),
        ("10000000000", InvalidPhone),
        ("11900138000", InvalidPhone),
        ("+8612900138000", InvalidPhone),
        ("1490013800", InvalidPhone),
        ("149001380000", InvalidPhone),
        ("+14900138000", InvalidPhone),
        ("86 86 14900138000", InvalidPhone),
        ("00 14900138000", InvalidPhone),
        ("9" * 31, InvalidPhone),
        ("1" * 10_000, InvalidPhone),
        (" " * 100 + "+", InvalidPhone),
        ("+999123456789", InvalidPhone),
        ("1380013800o", InvalidPhone),
        ("13800138000x", InvalidPhone),
        ("13800138000 ext 5", InvalidPhone),
        ("13800138000;ext=5", InvalidPhone),
        ("13800138000#5", InvalidPhone),
        ("13800138000,5", InvalidPhone),
        ("tel:13800138000", InvalidPhone),
        ("tel:+86-138-0013-8000", InvalidPhone),
        ("1-800-FLOWERS", InvalidPhone),
        ("😀", InvalidPhone),
        ("1380013800😀", InvalidPhone),
        ("一三八〇〇一三八〇〇〇", InvalidPhone),
        ("١٣٨٠٠١٣٨٠٠٠", InvalidPhone),
        ("138\x0000138000", InvalidPhone),
        ("13800138000\x00", InvalidPhone),
        ("138\n00138000", InvalidPhone),
        ("13800138000\r\nX: y", InvalidPhone),
        ("13800138000 13900139000", InvalidPhone),
        ("++8613800138000", InvalidPhone),
        ("010-62781234", PhoneNotSupported),
        ("0571 8765 4321", PhoneNotSupported),
        ("0086 571 8765 4321", PhoneNotSupported),
        ("+86 10 6278 1234", PhoneNotSupported),
        ("4008001234", PhoneNotSupported),
        (HONG_KONG, PhoneNotSupported),
        ("+886912345678", PhoneNotSupported),
        ("+1 202 555 0123", PhoneNotSupported),
    ],
)
def test_a_number_that_cannot_receive_sms_is_refused_with_the_reason(written: str, error: type[SMSVerifyError]) -> None:
    with pytest.raises(SMSVerifyError) as caught:
        parse(written)

    assert type(caught.value) is error
    assert "number" in str(caught.value)


def test_another_region_is_served_if_it_is_in_the_settings() -> None:
    with override_settings(SMSVERIFY={"REGIONS": ("CN", "HK")}):
        assert parse("+852 5123 4567") == HONG_KONG
        assert parse("13800138000") == PHONE
        with pytest.raises(PhoneNotSupported):
            parse("+85221234567")  # a landline of Hong Kong


def test_the_first_region_is_assumed_without_a_plus() -> None:
    with override_settings(SMSVERIFY={"REGIONS": ("HK", "CN")}):
        assert parse("5123 4567") == HONG_KONG
        assert parse(PHONE) == PHONE
        with pytest.raises(SMSVerifyError):
            parse("13800138000")


def test_regions_with_the_same_country_code_are_distinguished() -> None:
    with override_settings(SMSVERIFY={"REGIONS": ("US",)}):
        assert parse("202 555 0123") == "+12025550123"
        with pytest.raises(PhoneNotSupported):
            parse("+1 416 555 0123")  # Canada


@pytest.mark.parametrize(
    ("phone", "masked"), [(PHONE, "138****8000"), (HONG_KONG, "+85****4567"), ("+6834002", "+68****02")]
)
def test_a_mask_shows_the_first_and_the_last_digits(phone: str, masked: str) -> None:
    assert mask(phone) == masked


def test_only_a_mainland_number_has_a_national_form() -> None:
    assert national(PHONE) == PHONE[3:]
    with pytest.raises(PhoneNotSupported):
        national(HONG_KONG)


def test_a_block_has_ten_thousand_numbers() -> None:
    assert block(PHONE) == block("+8613800139999"[:-4] + "9999") == "+861380013"
    assert block(PHONE) != block("+8613800148000")
