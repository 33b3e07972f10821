"""What the carriers of mainland China hold back: addresses, contacts, their own business, offers beside a code.

China Telecom since 2025-05-20 (Huawei's and Baidu's notices), China Unicom since 2025-07-01 (the same), China Mobile
since 2025-12-05 (Baidu's notice, cloud.baidu.com/theme/A/11589-73). The vendors' rules of templates say the same in
more words: Aliyun document_detail/463237 and /463270, Huawei sms_faq_0003, Qiniu sms/5814/template-specification.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.utils.translation import gettext as _

from django_smsverify import texts

from .addresses import VALUE, Address, addresses, words
from .contacts import contacts
from .drafts import Draft
from .findings import Finding, Level, at
from .topics import OFFER

OPEN = words(
    "url uri link href website domain phone tel telephone mobile cellphone qq"
    " wechat weixin email mail contact hotline lianjie wangzhi dianhua shouji shoujihao youxiang"
)
"""Words in the names of variables that carry an address or a contact."""
CLOSED = words("model brand type name title count status color size plan bill fee")
"""Words in a name that make it something else: phone_model, contact_name."""
_PARTS = re.compile("[A-Z]?[a-z]+|[A-Z]+")

_NOUNS = "公司|集团|用户|客户|号码|手机|卡|套餐|业务|流量|话费|积分|宽带|营业厅|电视|王卡|营业|网上|掌上|充值|缴费"
CARRIER = re.compile(
    rf"中国(?:移动|联通|电信|广电)|(?<![可不能])移动(?:{_NOUNS})|联通(?:{_NOUNS})|移动[、/和与及]联通|联通[、/和与及]电信"
    r"|(?<!诈骗和)电信(?!诈骗|网络诈骗|网络新型|网络违法|欺诈|学院|工程|专业|学)|广电(?:网络|宽带|用户|号码|套餐|5g)"
    r"|(?<!供电)(?<!电力)(?<!燃气)(?<!水务)(?<!供水)(?<!自来水)(?<!供热)(?<!热力)(?<!银行)营业厅|大王卡|增值业务"
    r"|(?<![客车人物血水气电店站])流量(?!计|监|异常|攻击|统计|分析|控制|清洗|峰值|超限|告警|预警|阈值)"
)
"""Aliyun refuses what is about carriers: 增值业务 营业厅 移动 联通 电信 广电 大王卡 4G/5G. The exceptions are ours."""
GENERATION = re.compile(
    "(?<![A-Za-z0-9.])(?<!内存)(?<!显存)(?<!空间)[45]G(?![A-Za-z0-9/]|内存|显存|空间|硬盘|以[上下内]|文件)"
)
"""4G and 5G in capitals: 5g is a weight."""

_PRICE = r"[1-9一二三四五六七八九]\.?[0-9一二三四五六七八九]?折"
OFFERS = re.compile(rf"{OFFER}|{_PRICE}(?:优惠|特惠|起|扣|抢)")
OFFERS_WITH_CODE = re.compile(
    rf"{OFFER}|{_PRICE}(?!叠|断|线|旧|页|返|射)|红包|礼包|优惠|续费"
    "|会员(?:升级|福利|日(?!期)|专享|特惠|权益|礼)|(?:开通|升级|领取|加入)[^,。;!?]{0,4}会员"
)
"""Aliyun forbids 红包、优惠、会员、续费 … in code templates; 会员 alone stands in every second honest code."""
R_WORD = re.compile(r"拒收请?回复?\s?r(?![a-z0-9])")
OLD_WORDS = re.compile(
    r"(?:退订|拒收|取消订阅)请?(?:回复?|发送?)\s?[a-z0-9]{1,4}(?![a-z0-9恤])"
    r"|(?<![返撤收找召])回复?\s?[a-z0-9]{1,4}\s?(?:即可)?退订"
    r"|(?<![返撤收找召])回复?\s?td?(?![a-z0-9恤])|(?<![a-z])td?退订|退订td?(?![a-z])"
)


def _since() -> str:
    return _("China Telecom since 2025-05-20, China Unicom since 2025-07-01, China Mobile since 2025-12-05")


def links(draft: Draft) -> Iterator[Finding]:
    covered = {index for place in contacts(draft.plain) for index in range(*place)}
    for one in addresses(draft.plain, draft.raw):
        if one.start not in covered and not draft.in_origin(one.place):
            level, message = _verdict_on_link(draft, one)
            yield draft.at(one.place, level, "link", message)


def _verdict_on_link(draft: Draft, address: Address) -> tuple[Level, str]:
    start, end = draft.span(address.place)
    as_written, as_read = draft.content[start:end].lower(), draft.plain[address.start : address.end]
    if VALUE in as_read and not address.is_disguised:
        return Level.ERROR, _(
            "An address may not have a variable in it: vendors and carriers allow only what is filed as it is. Write "
            "the whole address, or leave it out."
        )
    if draft.carries_code and draft.rules.refuses_links:
        return Level.ERROR, _("This vendor refuses codes with an address: no link, domain or IP address. Leave it out.")
    if address.is_disguised or as_written.replace(VALUE, "") != as_read.replace(VALUE, ""):
        return Level.WARNING, _(
            "This reads as an address in disguise, which reviewers refuse and carriers intercept (%s). Leave it out."
        ) % _since()
    if draft.carries_code:
        return Level.WARNING, _(
            "Carriers intercept texts with a link, short link, domain or IP address (%s), and a code with one counts "
            "as commercial. Leave it out."
        ) % _since()
    return Level.WARNING, _(
        "Carriers intercept texts with a link, short link, domain or IP address (%s), and count them as commercial. "
        "Leave it out, or have the vendor file it with this text."
    ) % _since()


def contact_details(draft: Draft) -> Iterator[Finding]:
    """Contacts: telephone numbers, e-mail, QQ, WeChat, public accounts."""
    for place in contacts(draft.plain):
        if draft.in_origin(place):
            continue
        if draft.carries_code and draft.rules.refuses_contacts:
            message = _("This vendor refuses codes with a telephone number or any other contact. Leave it out.")
            yield draft.at(place, Level.ERROR, "contact", message)
            continue
        message = _(
            "Carriers intercept texts with a telephone number, e-mail, QQ, WeChat or account (%s). Leave it out."
        )
        if not draft.carries_code:
            message = _(
                "Carriers intercept texts with a telephone number, e-mail, QQ, WeChat or account (%s). Leave it out, "
                "or have the vendor file a company's own number with this text; most file no mobile number, QQ or "
                "WeChat."
            )
        yield draft.at(place, Level.WARNING, "contact", message % _since())


def open_variables(draft: Draft) -> Iterator[Finding]:
    """Huawei's rules: 链接和联系方式不支持使用变量发送 (sms_faq, 通知短信)."""
    for found in texts.PLACEHOLDER.finditer(draft.content):
        names = {found.group(1), draft.variables.get(found.group(1), found.group(1))}
        if any(_is_open(name) for name in names):
            message = _(
                "This variable seems to bring an address or a contact: vendors and carriers allow these in the fixed "
                "text only, where they are filed. Write it there or leave it out; if it is something else, rename it."
            )
            yield at(found.span(), Level.WARNING, "open", message)


def _is_open(name: str) -> bool:
    parts = {part.lower() for part in _PARTS.findall(name)}
    return bool(parts & OPEN) and not parts & CLOSED


def origin(draft: Draft) -> Iterator[Finding]:
    """The line that browsers read: no carrier speaks of it, but its host is a domain to a filter. So a warning."""
    if draft.origin and re.search(r"[.．#＃]", draft.content[slice(*draft.origin)]):
        message = _(
            "The host in this line counts as a domain, with which carriers may intercept the SMS (%s). Leave the line "
            "out; browsers then fill in the code less often."
        )
        yield at(draft.origin, Level.WARNING, "origin", message % _since())


def unsubscribing(draft: Draft) -> Iterator[Finding]:
    """Baidu: Unicom wants 拒收请回复R in every text (theme/P/2921696-6). Aliyun forbids it in codes and notices."""
    current = R_WORD.search(draft.plain)
    found = current or OLD_WORDS.search(draft.plain)
    if not found:
        return
    level = Level.WARNING
    message = _("This vendor refuses words for unsubscribing in codes and notices. Leave them out.")
    if not draft.rules.refuses_unsubscribe and current:
        level = Level.HINT
        message = _(
            "Ask the vendor whether it wants this: China Unicom asks for 拒收请回复R at the end of every text, some "
            "vendors refuse it in codes and notices."
        )
    elif not draft.rules.refuses_unsubscribe:
        message = _(
            "This is an old form: promotions end with 拒收请回复R; codes and notices need no such words at most "
            "vendors."
        )
    yield draft.at(found.span(), level, "unsubscribe", message)


def carriers_words(draft: Draft) -> Iterator[Finding]:
    if found := CARRIER.search(draft.plain) or GENERATION.search(draft.raw):
        message = _("Reviewers refuse texts about carriers and their business (%s). Say it otherwise.")
        yield draft.at(found.span(), Level.WARNING, "carrier", message % found.group())


def offers(draft: Draft) -> Iterator[Finding]:
    pattern = OFFERS_WITH_CODE if draft.carries_code else OFFERS
    if found := pattern.search(draft.plain):
        message = _(
            "This sounds like marketing, which needs a template of its own kind, goes through a port of its own and "
            "ends with 拒收请回复R. Leave it out, or file the text as a promotion."
        )
        if draft.carries_code:
            message = _("A code may not come with an offer (%s): reviewers and carriers take it for marketing.")
            message %= found.group()
        yield draft.at(found.span(), Level.WARNING, "marketing", message)


CHECKS = (links, contact_details, open_variables, origin, unsubscribing, carriers_words, offers)
