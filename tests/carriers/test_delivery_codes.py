"""Each published delivery code has its meaning, however a vendor spells it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from django_smsverify.carriers.causes import UNKNOWN, Advice, Certainty, Meaning, Side
from django_smsverify.carriers.delivery_codes import HEADER, NO_VENDORS, PUBLISHED, DeliveryCodes, read_rows
from django_smsverify.enums import Carrier, Cause
from tests.folding import folded

CODES = DeliveryCodes()
ROWS = list(read_rows(PUBLISHED))
EXPRESSIONS = {
    r"/NP:\d+/": ("NP:1243", "NP:0"),
    r"/(CMPP20ERR|CMPPERR|CMPP|SMGPERR|SGIPERR|RESP|.{0,6}RESP):-?\d+/": ("CMPPERR:8", "SGIPERR:-1", "SZRESP:9"),
    r"/-84(1[34]|3\d)/": ("-8413", "-8414", "-8437"),
}


def cause(code: str, *tables: str, carrier: Carrier | None = None) -> Cause:
    return CODES.meaning(code, tables=tables, carrier=carrier).cause


def test_nothing_was_lost() -> None:
    assert Counter(meaning.cause for _, speaker, meaning in ROWS if speaker != "twilio") == {
        Cause.DELIVERED: 3,
        Cause.PHONE_OFF: 58,
        Cause.PHONE_INVALID: 148,
        Cause.INBOX_FULL: 28,
        Cause.RECIPIENT_BLACKLIST: 67,
        Cause.FREQUENCY: 59,
        Cause.SIGNATURE_UNFILED: 44,
        Cause.TEMPLATE_UNFILED: 21,
        Cause.CONTENT_BLOCKED: 70,
        Cause.ROUTE_FAULT: 244,
        Cause.ACCOUNT: 33,
        Cause.EXPIRED: 13,
        Cause.PORTED: 7,
        Cause.UNKNOWN: 40,
    }
    assert len({(pattern, speaker) for pattern, speaker, _ in ROWS}) == len(ROWS)


@folded("pattern, speaker, meaning", ROWS)
def test_each_pattern_means_what_its_row_says(pattern: str, speaker: str, meaning: Meaning) -> None:
    tables = () if speaker in NO_VENDORS else (speaker,)
    codes = EXPRESSIONS.get(pattern) or ((f"{pattern[:-1]}9Z9Z",) if pattern.endswith("*") else (pattern,))

    assert [CODES.meaning(code, tables=tables) for code in codes] == [meaning] * len(codes)


@folded(
    "spelled, canonical",
    [
        ("mk:0012", "MK:0012"),
        ("MK0012", "MK:0012"),
        ("MK00012", "MK:0012"),
        ("MK:00012", "MK:0012"),
        ("ＭＫ：００１２", "MK:0012"),
        (" MK:0012\n", "MK:0012"),
        ("DB00144", "DB:0144"),
        ("MI0020", "MI:0020"),
        ("MC:0055_006", "MC:0055"),
        ("MI:0024_000", "MI:0024"),
        ("ID00076", "ID:0076"),
        ("Mobile Black", "MOBILEBLACK"),
        ("delivrd", "DELIVRD"),
        ("2:12", "SGIP:12"),
        ("2_12", "SGIP:12"),
        ("2：12", "SGIP:12"),
        ("SGIP:2:12", "SGIP:12"),
        ("SGIP:012", "SGIP:12"),
        ("CU12", "SGIP:12"),
        ("2:-74", "SGIP:-74"),
        ("2:0024", "SGIP:24"),
        ("LT:0054", "SGIP:54"),
        ("UNDELIV_601", "SMGP:601"),
        ("expired_010", "SMGP:010"),
        ("REJECTD_706", "SMGP:706"),
        ("UNDELIV_999", "SMGP:999"),
    ],
)
def test_odd_spellings(spelled: str, canonical: str) -> None:
    assert CODES.meaning(spelled) == CODES.meaning(canonical) != UNKNOWN


def test_a_word_before_an_unknown_number_counts() -> None:
    assert CODES.meaning("EXPIRED_777") == CODES.meaning("EXPIRED")


@folded(
    "code, carrier, tables, expected",
    [
        ("12", Carrier.UNICOM, (), Cause.PHONE_INVALID),
        ("-43", Carrier.UNICOM, (), Cause.INBOX_FULL),
        ("12", Carrier.TELECOM, (), Cause.UNKNOWN),
        ("12", None, (), Cause.UNKNOWN),
        ("12", Carrier.UNICOM, ("tencent",), Cause.UNKNOWN),
        ("256", Carrier.UNICOM, (), Cause.UNKNOWN),
        ("601", Carrier.TELECOM, (), Cause.PHONE_INVALID),
        ("601", Carrier.TELECOM, ("tencent",), Cause.PHONE_INVALID),
        ("601", Carrier.UNICOM, (), Cause.UNKNOWN),
        ("601", Carrier.MOBILE, (), Cause.UNKNOWN),
        ("12", Carrier.UNICOM, ("nobody",), Cause.PHONE_INVALID),
    ],
)
def test_a_bare_number_needs_the_carrier(
    code: str, carrier: Carrier | None, tables: tuple[str, ...], expected: Cause
) -> None:
    assert CODES.meaning(code, carrier=carrier, tables=tables).cause == expected


def test_a_vendors_own_table_goes_before_the_carriers() -> None:
    assert cause("MA:0001") == Cause.ROUTE_FAULT
    assert cause("MA:0001", "an") == Cause.RECIPIENT_BLACKLIST
    assert cause("MA:0099", "an") == Cause.ROUTE_FAULT
    assert cause("002", "tencent") == Cause.PHONE_OFF
    assert cause("002", "aliyun") == Cause.UNKNOWN
    assert cause("MOBILE_IN_BLACK", "tencent", "aliyun") == Cause.RECIPIENT_BLACKLIST


def test_an_exact_code_goes_before_its_prefix_in_any_spelling() -> None:
    assert cause("MC:0055_006") == Cause.PHONE_OFF
    assert cause("MC:4711") == cause("MC04711") == Cause.EXPIRED


@folded("code", ["", " ", "?", "XYZ", "９９９９９", "\0", "2:", "SGIP:", "_000", "🙂", "A" * 64, "-", "2:٣", "/NP:1/"])
def test_anything_else_is_unknown(code: str) -> None:
    assert CODES.meaning(code, carrier=Carrier.UNICOM) == UNKNOWN


def test_another_vendor_helps_where_cause_side_and_certainty_say_so() -> None:
    helped = {(pattern, speaker) for pattern, speaker, meaning in ROWS if meaning.another_vendor_helps}

    assert sum(speaker != "twilio" for _, speaker in helped) == 233
    assert {("DB:0151", "CMCC"), ("UNDELIV", "any"), ("ID:0076", "CMCC"), ("MB:1077", "CMCC")}.isdisjoint(helped)
    assert {("PORT_NOT_REGISTERED", "aliyun"), ("KEYWORD", "any"), ("NOROUTE", "any")} <= helped


@folded(
    "cause", [Cause.PHONE_OFF, Cause.PHONE_INVALID, Cause.INBOX_FULL, Cause.EXPIRED, Cause.DELIVERED, Cause.UNKNOWN]
)
def test_another_vendor_never_helps_a_phone(cause: Cause) -> None:
    assert not any(
        Meaning(cause, side, Advice.NOTHING, certainty).another_vendor_helps for side in Side for certainty in Certainty
    )


class TestTheFileOfASite:
    def test_it_goes_before_ours(self, tmp_path: Path) -> None:
        own = written(tmp_path, "MK:0012 NEW:1,any,inbox_full,phone,free_memory,A,ours,full")

        codes = DeliveryCodes([own, PUBLISHED])

        assert codes.meaning("MK:0012").cause == codes.meaning("new:1").cause == Cause.INBOX_FULL
        assert codes.meaning("MK:0001").cause == Cause.PHONE_INVALID

    def test_it_may_speak_of_the_sites_own_vendor(self, tmp_path: Path) -> None:
        codes = DeliveryCodes(
            [written(tmp_path, "E7,acme,account,sender,pay,A,,", "/E8\\d/,acme,ported,carrier,ported,A,,")]
        )

        assert codes.meaning("e7", tables=["acme"]).cause == Cause.ACCOUNT
        assert codes.meaning("E85", tables=["acme"]).cause == Cause.PORTED
        assert codes.meaning("E7") == UNKNOWN

    @pytest.mark.parametrize(
        ("row", "why"),
        [
            ("E7,any,nonsense,sender,pay,A,,", "'nonsense' is not a valid Cause"),
            ("E7,any,account,moon,pay,A,,", "'moon' is not a valid Side"),
            ("E7,any,account,sender,cry,A,,", "'cry' is not a valid Advice"),
            ("E7,any,account,sender,pay,E,,", "'E' is not a valid Certainty"),
            ("/(/,any,account,sender,pay,A,,", "unterminated"),
            ("E7,any,account", "not enough values"),
            ("E7,any,account,sender,pay,A,,,", "too many values"),
            ('"E7\n', "not enough values"),
        ],
    )
    def test_a_wrong_row_is_named(self, row: str, why: str, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=why) as raised:
            DeliveryCodes([written(tmp_path, "# a comment", "E6,any,account,sender,pay,A,,", row)])

        assert "own.csv, line 4" in str(raised.value)

    @pytest.mark.parametrize("content", ["", "# nothing\n", "code,cause\nE7,account\n"])
    def test_another_first_line_is_named(self, content: str, tmp_path: Path) -> None:
        (file := tmp_path / "own.csv").write_text(content)

        with pytest.raises(ValueError, match=f"own.csv: the first line must be {HEADER}"):
            DeliveryCodes([file])

    def test_as_a_spreadsheet_writes_it(self, tmp_path: Path) -> None:
        (file := tmp_path / "own.csv").write_bytes(
            f'{HEADER}\r\n\r\n"E7 E8",any,account,sender,pay,A,,"欠费, 停机"\r\n'.encode("utf-8-sig")
        )

        assert DeliveryCodes([file]).meaning("E8").words == "欠费, 停机"


def written(folder: Path, *rows: Any) -> Path:
    file = folder / "own.csv"
    file.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    return file
