"""How a text must be worded for reviewers in mainland China: it names the code and its use, in plain characters."""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.utils.translation import gettext as _

from .characters import EMOJI
from .drafts import Draft
from .findings import Finding, Level, at

CODE_WORDS = "验证码|注册码|校验码|动态码|动态密码"
"""Aliyun 463237, Huawei and Qiniu: one of these must stand in a code's text."""
CODE_WORD = re.compile(rf"{CODE_WORDS}|驗證碼|註冊碼|校驗碼|動態碼|動態密碼")
"""Traditional characters have a finding of their own."""
LIFETIME = re.compile(
    r"[0-9\0一二两三五十半]\s?(?:分|秒|小时|时内|天)|有效|失效|过期|时效|限时|expire|valid|minute|\bhours?\b|\bseconds?\b"
)
USE = re.compile(
    "登[录陆]|注册|绑定|解绑|更[换改]|修改|变更|找回|重置|密码|支付|付款|转账|提现|收款|认证|身份|办理|查询|开通|关闭|注销|激活|申请"
    "|授权|用于|用途|正在|本次|预约|下单|订单|取件|取货|领取|签[收署]|交易|投递|报名|挂号|充值|缴费|投票|加入|设备|提交|确认"
    r"|\b(?:log|sign)s?(?:ging|ning)?[ -]?(?:in|up|on)\b|regist|password|verify|payment|\bpay|reset|account|bind"
)
PLATFORM = re.compile(r"平台|网站|商城|小程序|公众号|系统|银行|公司|客户端|\bapp\b")
"""Words by which a text says where its code is typed in, beside the sender name; coarse, so context is only a hint."""
SYMBOL = re.compile(
    r"[\u203b\u2022\u25cf\u2190-\u21ff\u2460-\u24ff\u25a0-\u25ca\u25cc-\u25ff\u2600-\u27bf\u221a\u00a5\uffe5"
    r"『』「」〖〗²³\u3380-\u33df]"
    r"|\^[_.-]\^"
)
"""Aliyun, Huawei, Qiniu: ★ ※ → ● ① ¥ √ 『』「」〖〗 m² ^_^. Not ○, which is a zero in dates."""
SQUARE = re.compile(r"^\s{0,9}([\[［][^\[\]［］]{0,30}[\]］]?)|([\[［]?[^\[\]［］]{0,30}[\]］])$")


def _is_bare(draft: Draft) -> bool:
    """Whether nothing but variables and marks stands in the text."""
    return bool(draft.names) and not any(char.isalnum() for char in draft.plain)


def worded(draft: Draft) -> Iterator[Finding]:
    """Qiniu, Volcengine and Baidu refuse a text that is only variables; the others want to know what the code is."""
    if _is_bare(draft):
        message = _("Write words around the variables: vendors refuse a text that has nothing else.")
        yield at(None, Level.ERROR, "bare", message)
    elif draft.carries_code:
        yield from _code_word(draft)
        yield from _context(draft)


def _code_word(draft: Draft) -> Iterator[Finding]:
    """Blanks inside the word do not count."""
    if draft.is_chinese:
        if not CODE_WORD.search("".join(draft.plain.split())):
            message = _(
                "Name the code in the text: 验证码, 注册码, 校验码, 动态码 or 动态密码. Reviewers look for one of them."
            )
            yield at(None, Level.WARNING, "code-word", message)
    elif "code" not in draft.plain:
        message = _("Name the code in the text, with the word “code”. Reviewers look for it.")
        yield at(None, Level.WARNING, "code-word", message)


def _context(draft: Draft) -> Iterator[Finding]:
    """Neither the platform, nor the use, nor the lifetime is said (Aliyun 463237 wants them)."""
    without = CODE_WORD.sub("", draft.plain)
    named = bool(draft.signature) and draft.signature.lower() in without
    if not (named or "minutes" in draft.names or any(p.search(without) for p in (LIFETIME, USE, PLATFORM))):
        level = Level.WARNING if draft.rules.wants_context else Level.HINT
        message = _(
            "Say what the code is for, such as 用于登录, where, or how long it is valid: reviewers want one of these."
        )
        yield at(None, level, "context", message)


def symbols(draft: Draft) -> Iterator[Finding]:
    """The first symbol that reviewers refuse; emoji have a rule of their own."""
    pictures = [found.span() for found in EMOJI.finditer(draft.content)]
    for found in SYMBOL.finditer(draft.content):
        if not any(start <= found.start() < end for start, end in pictures):
            message = _("Reviewers refuse special characters such as %s. Use words or ordinary punctuation.")
            yield at(found.span(), Level.WARNING, "symbol", message % found.group())
            return


def square(draft: Draft) -> Iterator[Finding]:
    """Aliyun 463237, 463270: 在模板内容首尾不能使用[ ]."""
    if found := SQUARE.search(draft.content.rstrip()):
        place = found.span(1) if found.group(1) else found.span(2)
        message = _("No [ ] may stand at the head or the end: it is taken for a sender name. Use other brackets.")
        yield at(place, Level.WARNING, "square", message)


CHECKS = (worded, symbols, square)
