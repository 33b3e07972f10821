"""Checks of sender names 【…】 (短信签名), given without their brackets."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from django.utils.translation import gettext as _

from .characters import EMOJI, emoji, folded, hidden
from .findings import Finding, Level, at, ranked
from .rules import TextRules
from .topics import TRADES, topics_in

BRACKETS = re.compile(r"[【】\[\]［］]")
_NEUTRAL = """
测试 测试签名 test 通知 系统通知 客服通知 短信通知 消息通知 提醒 温馨提示 消息 公告 验证码 短信 短信验证码 平台 系统
客服 客服中心 官方 公司 网站 商城 客户 用户 会员 您好 你好 客户您好 尊敬的客户 尊敬的用户 亲
"""
NEUTRAL = frozenset(_NEUTRAL.split())
"""Names that do not identify the sender (含义模糊的中性签名)."""


def lint_signature(text: str, rules: TextRules | None = None) -> list[Finding]:
    """What a vendor with these rules would refuse in a sender name, the most severe first."""
    rules = rules or TextRules()
    checks = (_length(text, rules), _brackets(text), _spaces(text, rules), _symbols(text, rules), _names(text, rules))
    found = [finding for check in checks for finding in check]
    return ranked([*found, *hidden(text, allowed=""), *emoji(text, rules.refuses_emoji), *_topics(text, rules)])


def _length(text: str, rules: TextRules) -> Iterator[Finding]:
    shortest, longest = rules.signature_length
    if not text.strip():
        yield at(None, Level.ERROR, "empty", _("Write the name of the company, brand, site or app."))
    elif len(text) < shortest or len(text) > longest:
        facts = {"shortest": shortest, "longest": longest, "length": len(text)}
        message = _("Use %(shortest)d to %(longest)d characters; these are %(length)d.") % facts
        place = (longest, len(text)) if len(text) > longest else None
        yield at(place, Level.ERROR, "length", message)


def _brackets(text: str) -> Iterator[Finding]:
    if found := BRACKETS.search(text):
        message = _("Write the name without brackets; they are put around it when an SMS is sent.")
        yield at(found.span(), Level.ERROR, "brackets", message)


def _spaces(text: str, rules: TextRules) -> Iterator[Finding]:
    if text.strip() and (found := re.search(r"\s+", text)):
        level = Level.ERROR if " " in rules.signature_refuses else Level.WARNING
        message = _("Write the name without spaces: vendors take them for a special character.")
        yield at(found.span(), level, "space", message)


def _symbols(text: str, rules: TextRules) -> Iterator[Finding]:
    """A finding for the first character that the vendor forbids, else for the first symbol."""
    named = [place for place, char in enumerate(text) if char in rules.signature_refuses and not char.isspace()]
    other = [place for place, char in enumerate(text) if _is_symbol(char)]
    for place in (named or other)[:1]:
        if named:
            message = _("This vendor refuses %s in a sender name. Remove it.") % text[place]
        else:
            message = _("Reviewers refuse special characters such as %s in a sender name. Remove it.") % text[place]
        level = Level.ERROR if named else Level.WARNING
        yield at((place, place + 1), level, "symbol", message)


def _is_symbol(char: str) -> bool:
    """Punctuation and symbols, except brackets and emoji, which have their own rules, and the dot in names."""
    return unicodedata.category(char)[0] in "PS" and not BRACKETS.match(char) and char != "·" and not EMOJI.match(char)


def _names(text: str, rules: TextRules) -> Iterator[Finding]:
    if text.strip().lower() in NEUTRAL:
        level = Level.ERROR if rules.refuses_neutral else Level.WARNING
        message = _("This name does not say who sends. Use the name of the company, brand, site or app.")
        yield at(None, level, "neutral", message)
        return
    for word in dict.fromkeys((*rules.unwelcome, "测试")):
        if word in text:
            level = Level.ERROR if word in rules.unwelcome else Level.WARNING
            message = _("Reviewers refuse names with %s. Use the real name, if need be the company's short one.") % word
            start = text.index(word)
            yield at((start, start + len(word)), level, "neutral", message)


def _topics(text: str, rules: TextRules) -> Iterator[Finding]:
    plain, places = folded(text)
    for topic, start, end in topics_in(plain, rules.topics):
        level = Level.WARNING
        message = _("This sounds like %s, which reviewers refuse. Have the licence or the trade mark at hand.")
        if topic.word in TRADES:
            level, message = Level.HINT, _("Senders in this trade (%s) may send verification codes only.")
        yield at((places[start], places[end - 1] + 1), level, topic.word, message % topic.label)
