"""Sender names and texts are checked by the vendors' rules: the table's verdicts, and cases that need code."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from django.utils import translation

from django_smsverify.linting import (
    Finding,
    Level,
    TextRules,
    lint_content,
    lint_signature,
    marked,
    marked_html,
    topics,
    value_problem,
)
from django_smsverify.linting.traditional import TRADITIONAL
from django_smsverify.models.gateway_classes import gateway_class
from tests.folding import Fold, folded

from .linting_table import ADDRESSES_AND_WORDS, CARRIERS, CODES, NOTICES, SIGNATURES, TOPICS, Line
from .ordinary_texts import ORDINARY

ABROAD = TextRules(for_mainland=False)
VENDORS = ("topthink", "veesing", "apispace", "ihuyi", "qixuntong", "aliyun", "aliyun_pnvs", "tencent", "twilio")
COMMON_TEXT = "您的验证码是{code}，{minutes}分钟内有效，请勿泄露给他人，如非本人操作请忽略。"


def rules_of(gateway: str, **options: str) -> TextRules:
    return gateway_class(gateway).rules_for(options)


def each_at(lines: tuple[Line, ...]) -> Fold:
    """Each line at each of its gateways."""
    cases = [(gateway, line) for line in lines for gateway in line.gateways.split()]
    return folded("gateway, line", cases, ids=[f"{gateway} {line.text[:20]!r}" for gateway, line in cases])


def verdict_of(text: str, findings: list[Finding]) -> dict[str, str]:
    """The findings in the format of the table; of several findings of one rule the first counts."""
    verdict = {}
    for found in reversed(findings):
        verdict[f"{found.level} {found.rule}"] = text[found.start : found.end] if found.start is not None else ""
    if verdict.get("hint origin") == "":
        del verdict["hint origin"]
    return verdict


@each_at(SIGNATURES)
def test_a_sender_name_has_the_expected_findings(gateway: str, line: Line) -> None:
    assert verdict_of(line.text, lint_signature(line.text, rules_of(gateway))) == line.verdict


@each_at(CODES + NOTICES + CARRIERS + ADDRESSES_AND_WORDS)
def test_a_text_has_the_expected_findings(gateway: str, line: Line) -> None:
    found = lint_content(line.text, rules_of(gateway), signature=line.signature, variables=line.variables)

    assert verdict_of(line.text, found) == line.verdict


def test_every_topic_is_found_by_its_words() -> None:
    rules = TextRules(topics=frozenset(TOPICS))
    also = {"traffic": ["carrier"], "beta": ["link"]}

    assert TOPICS.keys() == {topic.word for topic in topics.TOPICS}
    for word, text in TOPICS.items():
        expected = [word, *also.get(word, ())]
        assert [found.rule for found in lint_content(text, rules) if found.level is Level.WARNING] == expected, text


def test_the_table_is_long_enough() -> None:
    texts = {line.text for line in SIGNATURES + CODES + NOTICES + CARRIERS + ADDRESSES_AND_WORDS}

    assert len(texts) >= 230


CARRIERS_RULES = {
    *("link", "contact", "open", "origin", "unsubscribe", "carrier", "marketing", "bare", "code-word", "context"),
    *("traditional", "symbol", "square"),
}


class TestCarriers:
    """The rules of the carriers of mainland China; the table has the verdicts."""

    @folded("text", ORDINARY, ids=[text[:20] for text in ORDINARY])
    def test_an_ordinary_text_breaks_none_of_them(self, text: str) -> None:
        found = lint_content(text, TextRules(wants_context=True), signature="示例站")

        assert [(one.rule, text[one.start : one.end]) for one in found if one.rule in CARRIERS_RULES] == []

    @folded("line", CARRIERS + ADDRESSES_AND_WORDS, ids=ascii)
    def test_they_do_not_apply_abroad(self, line: Line) -> None:
        found = lint_content(line.text, TextRules(for_mainland=False, topics=frozenset()), signature="云杉")

        assert {one.rule for one in found} - {"origin"} <= {"url", "brackets"}

    def test_each_of_them_is_shown_by_the_table(self) -> None:
        shown = {key.partition(" ")[2] for line in CARRIERS + ADDRESSES_AND_WORDS for key in line.verdict}

        assert shown >= CARRIERS_RULES

    @folded(
        "text, words",
        [
            ("请登录 yunshan.com 。", "have the vendor file it"),
            ("验证码{code}，登录 yunshan.com 。", "counts as commercial. Leave it out"),
            ("请登录云杉点com。", "in disguise"),
            ("请登录ｙｕｎｓｈａｎ.com。", "in disguise"),
            ("请登录yunshan.com/{id}", "may not have a variable"),
            ("请致电4001230000。", "have the vendor file a company's own number"),
            ("验证码{code}，请致电4001230000，5分钟内有效。", "(China Telecom since 2025-05-20, China Unicom since"),
            ("优惠券到账。", "file the text as a promotion"),
            ("验证码{code}，领取红包。", "an offer (红包)"),
            ("退订回T", "an old form"),
            ("拒收请回复R", "Ask the vendor"),
        ],
    )
    def test_a_message_says_what_to_do(self, text: str, words: str) -> None:
        (found,) = lint_content(text)

        assert words in found.message

    def test_an_address_in_the_line_for_browsers_is_reported_once(self) -> None:
        (found,) = lint_content("验证码{code}，5分钟内有效。\n@yunshan.com #{code}", rules_of("aliyun"))

        assert (found.level, found.rule) == ("warning", "origin")

    def test_a_contact_that_is_asked_for_is_reported_once(self) -> None:
        assert [one.rule for one in lint_content("请加微信号：yunshan88")] == ["contact"]

    def test_a_variable_is_judged_by_our_name_and_by_the_vendors(self) -> None:
        for name, theirs in (("phone", "a"), ("a", "phone")):
            found = lint_content(f"司机{{{name}}}已出发。", variables={name: theirs})
            assert [(one.rule, one.start) for one in found] == [("open", 2)]

    def test_the_signature_is_a_platform(self) -> None:
        assert lint_content("云杉的验证码是{code}。", signature="云杉") == []
        assert [one.rule for one in lint_content("云杉的验证码是{code}。", signature="白桦")] == ["context"]

    def test_the_table_of_traditional_characters_holds_no_simplified_one(self) -> None:
        assert len(TRADITIONAL) > 800
        for char in TRADITIONAL:
            assert "\u4e00" <= char <= "\u9fff"
            char.encode("big5")
            with pytest.raises(UnicodeEncodeError):
                char.encode("gb2312")


class TestOrigin:
    """https://wicg.github.io/sms-one-time-codes/"""

    @folded(
        "line",
        [
            "@example.com #{code}",
            "@xn--fiqs8s.cn #{code}",
            "@a-b.example.com #{code}",
            "@example.com #{code} @shop.example",
        ],
    )
    @folded("newline", ["\n", "\r\n", "\r", "\n\n"])
    def test_a_line_that_browsers_can_read_has_no_finding(self, line: str, newline: str) -> None:
        text = f"您的登录验证码是{{code}}。{newline}{line}"

        assert lint_content(text, ABROAD) == []
        (found,) = lint_content(text)
        assert (found.level, found.rule, text[found.start : found.end]) == ("warning", "origin", line)
        assert "counts as a domain" in found.message

    @folded(
        "line, level, place",
        [
            ("@example.com#{code}", "error", "m#"),
            ("@example.com  #{code}", "error", "  "),
            ("@example.com\t#{code}", "error", "\t"),
            ("@example.com　#{code}", "error", "　"),
            ("@example.com", "error", "m"),
            ("@example.com #{code}。", "error", "#{code}。"),
            ("@example.com #G-{code}", "error", "#G-{code}"),
            ("@example.com #{minutes}", "error", "#{minutes}"),
            ("@example.com #123456", "error", "#123456"),
            ("@example.com {code}", "error", "{code}"),
            ("@example.com code #{code}", "error", "code"),
            ("@https://example.com #{code}", "error", "https://example.com"),
            ("@example.com:8000 #{code}", "error", "example.com:8000"),
            ("@example.com/login #{code}", "error", "example.com/login"),
            ("@Example.com #{code}", "error", "Example.com"),
            ("@中文.com #{code}", "error", "中文.com"),
            ("@example #{code}", "error", "example"),
            ("@192.0.2.1 #{code}", "error", "192.0.2.1"),
            ("@example..com #{code}", "error", "example..com"),
            ("@-example.com #{code}", "error", "-example.com"),
            (f"@{'a' * 64}.com #{{code}}", "error", f"{'a' * 64}.com"),
            ("@ example.com #{code}", "error", "@"),
            ("@example.com #{code} @", "warning", " @"),
            ("@example.com #{code} @a b", "warning", " @a b"),
            ("@example.com #{code} 请勿泄露", "warning", " 请勿泄露"),
            ("@example.com #{code} ", "warning", " "),
            ("@example.com #{code} %shop.example", "warning", "%shop.example"),
            ("＠example.com #{code}", "warning", "＠example.com #{code}"),
            ("@example.com ＃{code}", "error", "＃{code}"),
            ("请输入 @example.com #{code}", "warning", "@example.com #{code}"),
            ("@example.com #{code}\n", "warning", "@example.com #{code}"),
            ("@example.com #{code}\n请勿泄露。", "warning", "@example.com #{code}"),
        ],
    )
    def test_a_line_that_browsers_cannot_read_is_a_finding(self, line: str, level: str, place: str) -> None:
        text = f"您的验证码是{{code}}。\n{line}"

        (found,) = [found for found in lint_content(text, ABROAD) if found.rule == "origin"]

        assert (found.level, text[found.start : found.end]) == (level, place)

    def test_a_line_that_browsers_cannot_read_is_one_warning_in_mainland_china(self) -> None:
        for line in ("@example.com#{code}", "@https://example.com #{code}", "请输入 @example.com #{code}", "@a.cn"):
            found = lint_content(f"您的登录验证码是{{code}}。\n{line}")
            assert [(one.level, one.rule) for one in found] == [("warning", "origin")]

    def test_the_line_must_not_be_the_first(self) -> None:
        (found,) = lint_content("@example.com #{code}", ABROAD)

        assert (found.level, found.rule, found.start, found.end) == ("error", "origin", 0, 1)
        assert "begin with a sentence and a line break" in found.message

    def test_the_line_is_suggested_for_codes_only(self) -> None:
        (hint,) = lint_content("您的验证码是{code}。", ABROAD)

        assert (hint.level, hint.rule, hint.start) == ("hint", "origin", None)
        assert "“@example.com #{code}”" in hint.message
        assert lint_content("您的订单已发货。", ABROAD) == []

    def test_the_hint_names_a_limit_of_one_placeholder(self) -> None:
        (hint,) = lint_content("您的验证码是{code}。", replace(ABROAD, exact_variables=1))

        assert "once only" in hint.message

    def test_the_line_in_a_text_without_a_code_is_a_warning(self) -> None:
        for rules in (TextRules(), ABROAD):
            (found,) = lint_content("会议已改期。\n@example.com #123456", rules)
            assert (found.level, found.rule) == ("warning", "origin")

    def test_a_notice_may_end_with_an_at(self) -> None:
        for rules in (TextRules(), ABROAD):
            assert lint_content("会议已改期。\n@所有人", rules) == []


class TestPlaces:
    def test_findings_are_sorted_by_level_and_then_by_place(self) -> None:
        found = lint_content("加微信【甲】贷款【乙】{code}", rules_of("topthink"))

        assert [(one.level, one.rule) for one in found] == [
            ("error", "brackets"),
            ("error", "brackets"),
            ("warning", "contact"),
            ("warning", "code-word"),
            ("warning", "finance"),
            ("hint", "context"),
        ]

    def test_a_place_is_shown_with_its_context(self) -> None:
        text = "一二三四五六七八九十甲乙丙丁【变量】子丑寅卯辰巳午未申酉戌亥天地"
        (found,) = lint_content(text)

        assert marked(text, found) == "…三四五六七八九十甲乙丙丁»【变量】«子丑寅卯辰巳午未申酉戌亥…"

    def test_invisible_characters_are_escaped(self) -> None:
        text = "a\u200bb\n\x00\ud800"
        found = Finding(level=Level.ERROR, rule="hidden", message="", start=1, end=2)

        assert marked(text, found) == r"a»\u200b«b\n\x00\ud800"

    def test_at_most_ten_findings_of_a_rule_are_listed(self) -> None:
        found = lint_content("【" * 1000 + "💊" * 1000)

        assert [one.rule for one in found] == ["brackets"] * 10 + ["emoji", "segments"]
        assert [one.start for one in found[:10]] == list(range(10))

    def test_a_long_place_is_cut(self) -> None:
        found = Finding(level=Level.ERROR, rule="braces", message="", start=0, end=500)

        assert marked("长" * 500, found) == f"»{'长' * 60}…«"

    def test_html_is_escaped(self) -> None:
        text = "<b>&【<script>】</b>"
        (found,) = lint_content(text)

        assert marked_html(text, found) == "&lt;b&gt;&amp;<mark>【&lt;script&gt;】</mark>&lt;/b&gt;"

    def test_the_whole_text_has_no_place(self) -> None:
        found = Finding(level=Level.HINT, rule="segments", message="")

        assert (marked("文", found), marked_html("文", found)) == ("", "")

    def test_a_place_is_exact_after_characters_that_are_normalized(self) -> None:
        text = "１２３㈱\u200b贷*款{code}"

        (found, *_) = [one for one in lint_content(text, rules_of("topthink")) if one.rule == "finance"]

        assert text[found.start : found.end] == "贷*款"


VALUES = [
    ("topthink", {}, "字" * 50, None),
    ("topthink", {}, "字" * 51, "at most 50 characters"),
    ("topthink", {}, "a,b;c|d", None),
    ("apispace", {}, "a,b", "may not contain ,"),
    ("apispace", {}, "a;b,", "may not contain , ;"),
    ("apispace", {}, "a，b", None),
    ("veesing", {}, "12", None),
    ("veesing", {}, "12345678", None),
    ("veesing", {}, "1", "2 to 8 digits"),
    ("veesing", {}, "123456789", "2 to 8 digits"),
    ("veesing", {}, "１２３４", "2 to 8 digits"),
    ("veesing", {}, "1234\n", "2 to 8 digits"),
    ("veesing", {}, "", "2 to 8 digits"),
    ("ihuyi", {}, "a|b", None),
    ("ihuyi", {"mode": "content"}, "a|b", None),
    ("ihuyi", {"mode": "template"}, "a|b", "may not contain |"),
    ("ihuyi", {}, "字" * 200, None),
    ("ihuyi", {"longest_value": "8"}, "字" * 8, None),
    ("ihuyi", {"longest_value": "8"}, "字" * 9, "at most 8 characters at this vendor; this one has 9"),
    ("ihuyi", {"longest_value": ""}, "字" * 9, None),
    ("ihuyi", {"longest_value": "many"}, "字" * 9, None),
    ("ihuyi", {}, "好👍", "emoji"),
    ("qixuntong", {}, "好👍,;|", None),
    *(
        ("aliyun", {}, value, "an address")
        for value in (
            "https://a.example/b",
            "www.yunshan.shop",
            "yunshan.com",
            "见yunshan.cn/a",
            "ｙｕｎｓｈａｎ．ｃｏｍ",
        )
    ),
    *(
        ("aliyun", {}, value, None)
        for value in (
            "v2.0",
            "3.14",
            "node.js",
            "U.S.",
            "Mr.Li",
            "a@b.com",
            "京A·12345",
            "12.5元",
            "1.2.3.4",
            "ASP.NET",
        )
    ),
    ("aliyun_pnvs", {}, "yunshan.com", "an address"),
    ("topthink", {}, "https://a.example/b", None),
    ("tencent", {}, "https://a.example/b", None),
    *((gateway, {}, "【1】", "may not contain 【 】") for gateway in ("topthink", "apispace", "ihuyi", "qixuntong")),
    *((gateway, {}, "half \ud83d", "UTF-8") for gateway in VENDORS),
]


@folded("gateway, options, value, why", VALUES)
def test_a_value_is_checked_by_its_vendors_rules(
    gateway: str, options: dict[str, str], value: str, why: str | None
) -> None:
    problem = value_problem(rules_of(gateway, **options), value)

    assert (problem is None) if why is None else (why in (problem or ""))
    assert len(value) < 3 or value not in (problem or "")


class TestUnusualInput:
    TEXTS = (
        "",
        "\x00",
        "\ud800",
        "\udfff\ud800",
        "\u202e\u202d\u2066",
        "\ufeff",
        "Ａ｛ｃｏｄｅ｝＠",
        "👩🏽‍❤️‍💋‍👩🏿🏴󠁧󠁢󠁥󠁮󠁧󠁿1️⃣🇨🇳",
        "\r\n\r\r\n",
        "@",
        "@\n@",
        "@ #",
        "@#{code}",
        "{code}\n@",
        "\U000e0001\U0010ffff",
        "㈱㍿ﷺ" * 50,
    )

    PIECES = (
        *("长", "a", "a.", "{", "｛", "【", "@", "@a", "{code}", "http://", "www.", "-.", "👍", "👍\u200d", "\u200b"),
        *("1-", "电话( ", "a.com/", "中.com", "1.1.1.", "拨打1", "[::", "关注", "回t", "微信a-", "ﷺ", "a . ", "驗"),
        *("贷*", "加官方", "联系", "\n@", "\ud800", " ", "*", "@a #", "1\ufe0f", "勿", "a-", "\u202ea"),
    )

    @folded("gateway", [*VENDORS, "memory"])
    @folded("text", TEXTS, ids=ascii)
    def test_every_text_can_be_checked_and_shown(self, text: str, gateway: str) -> None:
        rules = rules_of(gateway)
        for found in lint_signature(text, rules) + lint_content(text, rules, signature=text):
            assert found.message
            assert found.start is None or 0 <= found.start < (found.end or 0) <= len(text)
            marked(text, found).encode()
            marked_html(text, found).encode()

    @pytest.mark.slow
    @folded("piece", PIECES, ids=ascii)
    def test_ten_thousand_characters_take_less_than_two_seconds(self, piece: str) -> None:
        text = (piece * 10_000)[:10_000]
        start = time.process_time()

        lint_content(text, rules_of("topthink"), signature=text)
        lint_content(text, rules_of("apispace"))
        lint_signature(text, rules_of("topthink"))

        assert time.process_time() - start < 2


def test_a_common_text_is_clean_at_every_gateway() -> None:
    for gateway in (*VENDORS, "console", "memory"):
        text = COMMON_TEXT.replace("{minutes}", "5") if gateway == "veesing" else COMMON_TEXT
        assert [found.rule for found in lint_content(text, rules_of(gateway), signature="示例站")] == (
            ["origin"] if gateway == "twilio" else []
        )


def test_the_signature_counts_for_the_segments() -> None:
    def segments(**more: Any) -> list[str]:
        return [found.message for found in lint_content("长" * 66, **more) if found.rule == "segments"]

    assert segments() == []
    assert segments(signature="示例") == []
    assert segments(signature="示例站") == ["Billed as 2 SMS or more: at least 71 characters; one SMS holds 70."]


@pytest.mark.parametrize(
    ("gsm7", "text", "signature", "facts"),
    [
        (True, "a" * 160, "", None),
        (True, "a" * 161, "", (2, 161, 160)),
        (True, "a" * 160, "Shop", (3, 166, 70)),
        (True, "a" * 70 + "码", "", (2, 71, 70)),
        (False, "a" * 71, "", (2, 71, 70)),
    ],
)
def test_a_text_of_latin_letters_is_longer_where_the_vendor_sends_it_so(
    gsm7: bool, text: str, signature: str, facts: tuple[int, int, int] | None
) -> None:
    found = [one.message for one in lint_content(text, TextRules(counts_gsm7=gsm7), signature=signature)]

    says = "Billed as %d SMS or more: at least %d characters; one SMS holds %d."
    assert [message for message in found if message.startswith("Billed")] == ([says % facts] if facts else [])


def test_a_code_counts_with_its_minimum_of_digits() -> None:
    assert "segments" not in [found.rule for found in lint_content("长" * 66 + "{code}")]
    assert "segments" in [found.rule for found in lint_content("长" * 67 + "{code}")]


def test_the_minutes_count_as_one_character_at_least() -> None:
    assert "segments" not in [found.rule for found in lint_content("长" * 65 + "{code}{minutes}")]
    assert "segments" in [found.rule for found in lint_content("长" * 66 + "{code}{minutes}")]


def test_brackets_in_different_places_have_different_messages() -> None:
    found = [one.message.partition(":")[0] for one in lint_content("【甲】您好【变量】【乙】")]

    assert found[0] == "Leave the sender name out"
    assert found[1].startswith("Write a placeholder as {code};")
    assert found[2].startswith("Only a sender name may stand in 【】;")


def test_messages_are_in_the_active_language() -> None:
    with translation.override("en"):
        (found,) = lint_signature("")
    assert found.message == "Write the name of the company, brand, site or app."


def test_a_gateway_without_rules_has_the_general_rules() -> None:
    assert gateway_class("memory").rules_for({}) == TextRules()
