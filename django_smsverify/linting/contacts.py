"""Finds what a person can call, write to or look up: telephone numbers, e-mail, QQ, WeChat and public accounts.

Carriers hold texts with them back (Huawei's and Baidu's notices on China Telecom, 2025-05-20; Baidu's on China Unicom
and China Mobile). Aliyun's rules name what they are (document_detail/463237 for codes, /463270 for notices).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_UNIT = r"(?![.,]?\d|[%a-z])(?!\s?(?:[元万亿円个分步人名次条份件笔家户米年月天起]|美金|积分|公里|号(?!码)))"
"""What must not follow: more digits, or what is counted or numbered."""
_ALONE = r"(?<![0-9a-z.,¥$€#·\0-])"
_NUMBERED = re.compile(
    "(?:单号?|编号|流水号?|凭证号?|户号|学号|卡号|表号|尾号|批次号?|工号|[排桌叫序座]队?位?号|会议号"
    r"|(?:发票|证书|证件)号码|[达第破过共]到?|取件码|提货码|兑换码|序列号)\s?[:是为]?\s?$"
)
"""Before digits: they number something, they are not dialled."""
_MOBILE = rf"{_ALONE}(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{{4}}[- ]?\d{{4}}"
_LANDLINE = rf"{_ALONE}\(?0(?:10|2\d|[3-9]\d{{2}})\)?[- ]?[2-9]\d{{2,3}}[- ]?\d{{4}}"
_COMPANY = rf"{_ALONE}[48]00(?:[- ]?\d){{7}}"
_SERVICE = rf"{_ALONE}95\d{{3}}"
"""Others, such as 10086 and 12345, are as often a count: they are found behind a word that calls for dialling."""
NUMBER = re.compile(rf"(?:{_MOBILE}|{_LANDLINE}|{_COMPANY}|{_SERVICE}){_UNIT}")
CALLED = re.compile(
    r"(?:电话|热线|专线|座机|致电|拨打|请拨|客服|联系方式|(?<![a-z])(?:tel|phone|call))"
    r"(?:号码?|客服|官方|[:是为( .+-]){0,4}(?!20\d\d-)(?P<number>\d(?:[- ]?\d){4,13})(?![\d.]*\s?元)"
)
MAIL = re.compile(r"(?<![a-z0-9._%+\0-])[a-z0-9._%+\0-]{1,64}@(?:[a-z0-9_\0-]{1,63}\.){1,8}[a-z\0]{2,63}")
QQ = re.compile(r"(?:(?<![a-z])qq|扣扣|企鹅)(?:号码?|群号?|客服){0,2}\s?[:是为]?\s?[1-9][0-9]{4,10}")
WECHAT = re.compile(
    r"(?:微信|[v薇威]信|企业微信|(?<![a-z])(?:wechat|weixin|[vw]x))"
    r"(?:号\s?[:是为]?\s?|\s?[:是为]\s?)[a-z0-9_-]{5,20}|微信\s?(?=[a-z_-]{1,18}[0-9_-])[a-z][a-z0-9_-]{5,19}"
)
ACCOUNT = re.compile(
    r"(?:关注|搜索|搜一?下|扫码|添加|私信|进入)[^,。;!?\n]{0,8}?(?:公众号|视频号|抖音|快手|钉钉|小红书|微博)"
    "|(?:公众号|视频号|(?:抖音|快手|钉钉|小红书)(?:号|群)|(?:抖音|快手|钉钉|小红书)(?=:))"
    r"\s?[:是为]?\s?[\u201c\"「]?[a-z0-9_-]{4,20}"
    r"|公众号\s?[:是为]"
)


def contacts(plain: str) -> list[tuple[int, int]]:
    """The places of the contacts in a folded text, in their order; where two overlap, the first."""
    kept: list[tuple[int, int]] = []
    for place in sorted(_all(plain)):
        if not kept or place[0] >= kept[-1][1]:
            kept.append(place)
    return kept


def _all(plain: str) -> Iterator[tuple[int, int]]:
    for found in NUMBER.finditer(plain):
        if not _NUMBERED.search(plain[max(0, found.start() - 12) : found.start()]):
            yield found.span()
    for found in CALLED.finditer(plain):
        yield found.span("number")
    for pattern in (MAIL, QQ, WECHAT, ACCOUNT):
        for found in pattern.finditer(plain):
            yield found.span()
