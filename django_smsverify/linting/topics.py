"""Topics that a text must not be about: the vendors' lists, and words by which reviewers and filters recognize them.

The lists are APISpace's 签名规范 and 模板规范 and TopThink's 签名及模板审核要求. The words are ours. An expression
excludes longer words with another meaning: 消毒品 is not 毒品, 集中奖励 not 中奖, 具体检查 not 体检.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic and the words by which it is recognized."""

    word: str
    label: StrOrPromise
    words: str
    """A regular expression for the text that `characters.folded` returns."""
    codes_allowed: bool = False
    """Whether a text with a code may be about it."""


OFFER = "促销(?!户|账|毁)|限时抢购|特价(?!票|机票|房)|优惠券"
"""Words of marketing in any text."""

TOPICS = (
    Topic("porn", _("pornography"), "色情|情色|裸聊|约炮|成人视频"),
    Topic(
        "gambling",
        _("gambling"),
        "赌博|赌场|博彩|下注(?!册|意|明|销)|投注(?!册|意)|彩票|六合彩|时时彩|棋牌|老虎机|百家乐",
    ),
    Topic("drugs", _("drugs"), "(?<!消)毒品|冰毒|大麻(?!烦|痹|醉)|k粉"),
    Topic("violence", _("violence"), "暴力(?!破解)|恐吓|枪支"),
    Topic(
        "finance",
        _("finance"),
        "贷款|网贷|信贷|借贷|还贷|借款|放款(?!项)|催款|催收(?!件|货|据)|还款(?!项)|提额(?!外)|理财(?!务|产|政|物)|投资(?!料|格|质|方)|股票|"
        "炒股|荐股|(?<![到逾近早])期货(?!物|款|品)|基金(?!会)|外汇(?!报|总)|证券|pos机|刷卡机",
    ),
    Topic("crypto", _("blockchain and virtual money"), "区块链|比特币|虚拟币|虚拟货币|数字货币|挖矿|(?<![a-z])usdt"),
    Topic(
        "prize",
        _("prizes and draws"),
        "中奖(?!励|学|金|杯|牌)|抽奖|开奖|领奖(?!励|学)|一元夺宝|一元秒杀|一元云购",
    ),
    Topic("rebate", _("rebates"), "返现(?!场|在)|返利"),
    Topic("invoice", _("invoices for sale"), "代开(?:发)?票"),
    Topic("agency", _("registrations and papers for sale"), "代理注册|代办证|代注册"),
    Topic("fakes", _("fakes"), "(?<![a-z])a货(?!物|品|运|车|款)|高仿"),
    Topic("tobacco", _("tobacco and alcohol"), "烟酒|香烟|卷烟|电子烟|白酒|红酒|茅台"),
    Topic("politics", _("party and government"), "党政|党建|党员"),
    Topic("law", _("legal action"), "法律维权|维权|律师函|起诉(?!求)|诉讼|(?<!上)传票(?!据)"),
    Topic("charity", _("fund-raising"), "众筹|募捐|捐款|慈善"),
    Topic("religion", _("religion and superstition"), "宗教|迷信|佛教|道教|占卜|风水|(?<![计运])算命(?!令|中|题|名)"),
    Topic("funeral", _("funerals"), "殡葬|墓地|骨灰"),
    Topic("fur", _("furs"), "皮草"),
    Topic(
        "faking",
        _("faked sales and paid tasks"),
        "刷单(?!词|元|个)|做任务|空包网|空包(?!裹|装)|邀请好评|好评返|拉新(?!鲜|闻)|(?<!大)众包|转店(?!铺|面|长)",
    ),
    Topic("traffic", _("sale of mobile data"), "流量包(?!含|括)|流量营销|送流量|免费流量"),
    Topic("superlatives", _("words that the advertising law forbids"), "全网最低|史上最低|国家级|第一品牌|绝无仅有"),
    Topic("invitation", _("invitations to register"), "邀请注册|邀请您注册|邀请您成为|邀请你注册|诚邀您"),
    Topic("marketing", _("marketing"), OFFER),
    Topic("points", _("exchange of points"), "积分兑换|兑换积分"),
    Topic("surgery", _("cosmetic surgery"), "(?<!调)整形(?!式|象|态)|整容|医美"),
    Topic(
        "medicine",
        _("medicine"),
        "医疗|医院|就诊|处方|疫苗|挂号(?!信)|(?<![具整全个])体检(?!查|修|测|验)",
    ),
    Topic(
        "contact",
        _("asking to add WeChat, QQ or a group"),
        "(?<![参增])加(?:我们?|一?下|入|官方|客服|专属|个人|好友|老师|您的|顾问|企业|的){0,3}"
        "(?:微信|[v薇威]信|qq|扣扣|企微|wechat|群)(?!支付|登录|公众号|小程序|体|众)|[进入]群(?![体众山聊英雄岛])|"
        "(?:微信|qq|交流|粉丝|福利)群",
    ),
    Topic(
        "service",
        _("asking to contact customer service"),
        r"(?:联系|咨询|致电|拨打|询问|找)[^，。；！？,;!?\s]{0,6}客服|客服(?:电话|热线|专线|微信|qq)|微信客服",
        codes_allowed=True,
    ),
    Topic(
        "beta",
        _("a site that hands out unreleased apps"),
        r"内测分发|(?<![a-z0-9-])(?:fir\.im|pgyer\.(?:com|cn)|pre\.im|betaqr\.com|testflight\.apple\.com)",
    ),
    Topic("estate", _("real estate"), "房地产|房产|地产(?!品|生|出|能|量)|楼盘|房源|首付|售楼|购房", True),
    Topic("study", _("study abroad and emigration"), "留学|移民", True),
    Topic("recruiting", _("recruiting"), "招聘|面试|(?<!请)求职|应聘(?!请)|兼职|猎头", True),
    Topic("dating", _("dating"), "(?<![提社])交友|相亲(?!相爱)|征婚", True),
    Topic("games", _("games"), "游戏|手游|网游|页游", True),
)

CARRIERS = frozenset({"porn", "gambling", "drugs", "violence", "invoice", "contact", "service", "beta"})
"""Topics that carriers block for every vendor."""
TRADES = frozenset({"estate", "study", "recruiting", "dating", "games"})
"""地产、留学、招聘、交友、游戏等行业仅支持发送验证码短信: senders in these trades may send codes only."""
LISTED = frozenset(topic.word for topic in TOPICS) - {"surgery", "medicine", "points"}
"""Topics that both lists forbid."""

WARNS = re.compile("谨防|(?:勿|不要|不会|从不)(?!错过)|警惕|防范|当心|严禁|反诈")
"""Words by which a clause warns of a topic: 谨防贷款诈骗, 请勿添加陌生人微信."""
CLAUSE = re.compile(r"[，。；！？、,;!?\n]")
CAREFUL = 12
"""Characters before a word in which its clause may warn of it."""
FRAUD = 4
"""Characters after a word in which it may be called a fraud: 贷款诈骗."""


def topics_in(text: str, words: frozenset[str]) -> Iterator[tuple[Topic, int, int]]:
    """Each of these topics that a folded text is about, once, with the start and end of its first match."""
    for topic in TOPICS:
        if topic.word in words:
            found = next((f for f in re.finditer(topic.words, text) if not _is_warning(text, *f.span())), None)
            if found:
                yield topic, found.start(), found.end()


def _is_warning(text: str, start: int, end: int) -> bool:
    clause = CLAUSE.split(text[max(0, start - CAREFUL) : start])[-1]
    return bool(WARNS.search(clause)) or "骗" in CLAUSE.split(text[end : end + FRAUD])[0]
