"""Sender names and texts as operators write them, and the findings for each; add a line for every new case.

A verdict is "level rule": "the place", or "" for the whole text. No other findings may occur, except the hint that
browsers could fill in the code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ALL = "topthink veesing apispace ihuyi qixuntong"
SEVERAL = "topthink apispace ihuyi qixuntong"
"""Gateways whose texts may have more than one placeholder."""
LISTS = "topthink apispace"
"""Gateways that publish what is forbidden."""
OTHERS = "veesing ihuyi qixuntong"


@dataclass(frozen=True, slots=True)
class Line:
    gateways: str
    text: str
    verdict: Mapping[str, str] = field(default_factory=dict)
    signature: str = "示例站"
    variables: Mapping[str, str] = field(default_factory=dict)


SIGNATURES = (
    # names that pass
    Line(ALL, "示例站"),
    Line(ALL, "顶想云"),
    Line(ALL, "互亿无线"),
    Line(ALL, "企讯通"),
    Line(ALL, "Eolink"),
    Line(ALL, "58同城"),
    Line(ALL, "中信银行"),
    Line(ALL, "阿里·云栖"),
    Line(ALL, "北京大学第三附属学校家长委员会"),
    Line(ALL, "消毒品之家"),
    Line(ALL, "某某基金会"),
    # length
    Line("apispace ihuyi", "云", {"error length": ""}),
    Line("topthink veesing qixuntong", "云"),
    Line(
        "apispace",
        "某某市某某区某某街道社区卫生服务中心便民站点",
        {"error length": "站点"},
    ),
    Line("ihuyi qixuntong", "某某市某某区某某街道社区卫生服务中心便民站点"),
    Line(ALL, "", {"error empty": ""}),
    Line(ALL, "   ", {"error empty": ""}),
    # brackets
    Line(ALL, "【示例站】", {"error brackets": "【"}),
    Line(ALL, "[示例站]", {"error brackets": "["}),
    Line(ALL, "示例站］", {"error brackets": "］"}),
    Line("ihuyi", "中信（集团）", {"error symbol": "（"}),
    Line("topthink apispace qixuntong veesing", "中信（集团）", {"warning symbol": "（"}),
    # symbols and spaces
    Line("apispace", "A&B", {"error symbol": "&"}),
    Line("topthink ihuyi", "A&B", {"warning symbol": "&"}),
    Line("apispace", "7-11便利店", {"error symbol": "-"}),
    Line("apispace", "C++学院", {"error symbol": "+"}),
    Line("apispace", "示例 站", {"error space": " "}),
    Line("topthink qixuntong", "Apple Store", {"warning space": " "}),
    Line("apispace", "示例　站", {"error space": "　"}),
    Line(ALL, "示例站！", {"warning symbol": "！"}),
    Line(ALL, "示例\u200b站", {"warning hidden": "\u200b"}),
    Line(ALL, "\u202e示例站", {"warning hidden": "\u202e"}),
    Line(ALL, "示例\x00站", {"error hidden": "\x00"}),
    Line("ihuyi veesing", "花店🌸", {"error emoji": "🌸"}),
    Line("topthink apispace qixuntong", "花店🌸", {"warning emoji": "🌸"}),
    # names without a meaning
    Line(LISTS, "测试", {"error neutral": ""}),
    Line("ihuyi qixuntong veesing", "测试", {"warning neutral": ""}),
    Line(LISTS, "客服通知", {"error neutral": ""}),
    Line(LISTS, "客户您好", {"error neutral": ""}),
    Line(LISTS, "TEST", {"error neutral": ""}),
    Line("topthink", "示例站测试", {"error neutral": "测试"}),
    Line("apispace ihuyi", "软件测试网", {"warning neutral": "测试"}),
    # trades: never an error
    Line(LISTS, "人人贷款", {"warning finance": "贷款"}),
    Line(OTHERS, "人人贷款"),
    Line(LISTS, "某某投资", {"warning finance": "投资"}),
    Line(LISTS, "腾讯游戏", {"hint games": "游戏"}),
    Line(LISTS, "链家地产", {"hint estate": "地产"}),
    Line(LISTS, "百合征婚", {"hint dating": "征婚"}),
    Line(LISTS, "本地产品直供"),
    Line(ALL, "澳门赌场", {"warning gambling": "赌场"}),
)

CODES = (
    # texts that pass, from the vendors' own pages and from phones
    Line(SEVERAL, "您的验证码是{code}，{minutes}分钟内有效，请勿泄露给他人，如非本人操作请忽略。"),
    Line(SEVERAL, "您的验证码是{code}，{minutes}分钟内有效。"),
    Line(ALL, "您的注册验证码是{code}，有效时间5分钟。如非本人操作，请忽略本短信。"),
    Line(ALL, "您正在找回密码，您的验证码是{code}。如非本人操作，请忽略本短信。"),
    Line(ALL, "您正在进行身份认证，您的验证码是{code}。如非本人操作，请忽略本短信。"),
    Line(ALL, "您的验证码是：{code}。请不要把验证码泄露给其他人。"),
    Line(ALL, "验证码：{code}，您正在绑定银行卡，工作人员不会向您索要，切勿告知他人。"),
    Line(ALL, "{code}为您的登录验证码，请于5分钟内填写。如非本人操作，请联系客服。"),
    Line(ALL, "验证码{code}，用于微信登录，请勿转发，谨防贷款诈骗。"),
    Line(ALL, "动态码{code}，您正在使用微信支付，请勿添加陌生人微信。"),
    Line(LISTS, "您正在注册某某游戏，验证码{code}，5分钟内有效。"),
    Line(LISTS, "您正在预约看房，验证码{code}，购房咨询请以楼盘公示为准。"),
    Line(LISTS, "您正在投递招聘简历，验证码{code}。"),
    Line(ALL, "Your code is {code}. It expires in 5 minutes."),
    Line(SEVERAL, "您的验证码是{code}。\n@example.com #{code}"),
    Line(SEVERAL, "您的验证码是{code}。\r\n\r\n@www.example.com.cn #{code} @pay.example.com"),
    Line(ALL, "验证码见末行，5分钟内有效。\n@example.com #{code}"),
    # brackets, braces, placeholders
    Line(ALL, "【示例站】您的验证码是{code}。", {"error brackets": "【示例站】"}),
    Line(ALL, "您的验证码是{code}。【示例站】", {"error brackets": "【示例站】"}),
    Line("ihuyi", "您的验证码是：【变量】。", {"error brackets": "【变量】"}),
    Line(ALL, "您的验证码是{code}】", {"error brackets": "】"}),
    Line(ALL, "您的验证码是{code}，请[勿]泄露。"),
    Line("topthink", "您的验证码是${code}。", {"warning syntax": "$"}),
    Line("apispace", "您的验证码是{$var}。", {"error braces": "{$var}"}),
    Line("qixuntong", "您的验证码是｛code｝。", {"error braces": "｛code｝"}),
    Line("ihuyi", "您的验证码是{验证码}。", {"error braces": "{验证码}"}),
    Line("ihuyi", "您的验证码是{code}，{minutes。", {"error braces": "{"}),
    Line("qixuntong", "您的验证码是#code#。", {"warning syntax": "#code#"}),
    Line("veesing", "您的验证码是{code}，{minutes}分钟内有效。", {"error variables": ""}),
    Line("veesing", "您的验证码是{code}。\n@example.com #{code}", {"error variables": ""}),
    Line("veesing", "系统维护已完成。", {"error variables": ""}),
    # topics that are forbidden for codes
    Line(LISTS, "您正在申请贷款，验证码{code}。", {"warning finance": "贷款"}),
    Line(OTHERS, "您正在申请贷款，验证码{code}。"),
    Line(LISTS, "贷·款验证码{code}。", {"warning finance": "贷·款"}),
    Line(LISTS, "贷\u200b款验证码{code}。", {"warning finance": "贷\u200b款", "warning hidden": "\u200b"}),
    Line(LISTS, "验证码{code}，请勿泄露，贷款请登录官网。", {"warning finance": "贷款"}),
    Line(LISTS, "验证码{code}，您购买的股票已成交。", {"warning finance": "股票"}),
    Line(ALL, "验证码{code}，加微信领红包。", {"warning contact": "加微信"}),
    Line(ALL, "验证码{code}，有问题请加ＱＱ群。", {"warning contact": "加ＱＱ"}),
    Line("topthink", "这是测试短信，验证码{code}。", {"warning unwelcome": "测试"}),
    Line("qixuntong ihuyi", "这是测试短信，验证码{code}。"),
    # characters
    Line("ihuyi veesing", "您的验证码是{code}👍", {"error emoji": "👍"}),
    Line(LISTS, "您的验证码是{code}👨‍👩‍👧！", {"warning emoji": "👨‍👩‍👧"}),
    Line(ALL, "您的验证码是{code}★，详情请登录官网查看☎"),
    Line(ALL, "您的验证码是\u200b\u200b{code}。", {"warning hidden": "\u200b\u200b"}),
    Line(ALL, "您的验证码是{code}\x07。", {"error hidden": "\x07"}),
)

NOTICES = (
    # texts that pass
    Line(SEVERAL, "{name}，您的订单已发货，请注意查收。"),
    Line(SEVERAL, "系统维护已完成，感谢您的支持。"),
    Line(SEVERAL, "您的快递已到{place}，取件码{pick}，请于今日20点前领取。"),
    Line(SEVERAL, "订单{order}已支付成功，金额{amount}元，退还款项将原路返回。"),
    Line(SEVERAL, "本月奖学金集中奖励名单已公布，具体检查安排见校内公告，欢迎参加群众活动。"),
    Line(SEVERAL, "您的航空包裹已到，到期货物请及时办理财务手续，提交友情链接。"),
    Line(SEVERAL, "请在下注册页面完成登记，发起诉求后等待处理，上传票据即可。"),
    Line(SEVERAL, "您的订单已转店长处理，本次大会投资方已签到，提额外需求请登录官网。"),
    Line(SEVERAL, "您的账号遭暴力破解，请及时修改密码。"),
    Line(SEVERAL, "客服人员会在24小时内与您联系，您的客服工单已关闭。"),
    Line(SEVERAL, "近期贷款诈骗高发，请勿相信中奖信息，谨防刷单骗局。"),
    Line(SEVERAL, "您已成功增加微信支付方式，如有疑问请登录官网查看。"),
    Line(SEVERAL, "水费账单已出，详见 https://pay.example.com/b/{bill} 请及时缴纳。"),
    Line(SEVERAL, "请登录 www.example.com"),
    Line(SEVERAL, "账单已发至 service@example.com，请查收。"),
    # topics
    Line(LISTS, "尊敬的{name}，您的贷款申请已通过，请尽快还款。", {"warning finance": "贷款"}),
    Line(LISTS, "恭喜您中奖，请于今日领奖。", {"warning prize": "中奖"}),
    Line(LISTS, "切勿错过贷款优惠。", {"warning finance": "贷款"}),
    Line(LISTS, "您关注的楼盘今日开盘。", {"warning estate": "楼盘"}),
    Line(LISTS, "您的面试安排在{date}。", {"warning recruiting": "面试"}),
    Line(LISTS, "某某手游今日开服。", {"warning games": "手游"}),
    Line(LISTS, "美国留学讲座今晚开始。", {"warning study": "留学"}),
    Line(OTHERS.replace("veesing ", ""), "某某手游今日开服。"),
    Line("topthink", "您在某某医院的预约已确认。", {"warning medicine": "医院"}),
    Line("apispace ihuyi", "您在某某医院的预约已确认。"),
    Line("apispace", "您的积分兑换已完成。", {"warning points": "积分兑换"}),
    Line("topthink", "您的积分兑换已完成。"),
    Line(LISTS, "邀请您成为会员，退订回T", {"warning invitation": "邀请您成为", "warning marketing": "退订回"}),
    Line(SEVERAL, "代开发票，量大从优。", {"warning invoice": "代开发票"}),
    Line(SEVERAL, "您的订单异常，请联系客服。", {"warning service": "联系客服"}),
    Line(SEVERAL, "您的订单异常，请拨打24小时在线客服。", {"warning service": "拨打24小时在线客服"}),
    Line(SEVERAL, "工作人员不会让您联系客服转账，本店客服已为您备注。"),
    Line(SEVERAL, "请添加我们的微信{wechat}。", {"warning contact": "加我们的微信"}),
    Line(SEVERAL, "欢迎加 入会员，微信号：abc_12345", {"warning contact": "微信号：abc_1"}),
    Line(SEVERAL, "家长请加班级QQ群，QQ群号见公告。", {"warning contact": "QQ群"}),
    # addresses
    Line("apispace", "请登录https://example.com查看。", {"warning url": "https://example.com"}),
    Line("topthink ihuyi", "请登录https://example.com查看。", {"hint url": "https://example.com"}),
    Line("apispace", "请登录 https://example.com/a.", {"warning url": "https://example.com/a"}),
    Line("apispace", "请登录 example.cn。", {"warning url": "example.cn"}),
    Line("topthink", "新版下载： https://fir.im/abcd ", {"warning beta": "fir.im"}),
    Line("apispace", "新版下载 pgyer.com/abcd", {"warning beta": "pgyer.com"}),
    # variables
    Line("topthink", "{name}，订单{order2}已发货。", {"error name": "{order2}"}),
    Line("topthink", "{name}，订单{order2}已发货。", variables={"order2": "order_no"}),
    Line("topthink", "您的手机{mobile}已绑定。", {"error name": "{mobile}"}),
    Line("topthink", "您的手机{phone}已绑定。", {"error name": "{phone}"}, variables={"phone": "mobile"}),
    Line("apispace ihuyi qixuntong", "您的手机{mobile}已绑定{order2}。"),
    Line("topthink", "{a}{b}{c}{d}{e}{f}{g}{h}{i}。", {"error variables": ""}),
    Line("topthink", "{a}{b}{c}{d}{e}{f}{g}{h}{h}。"),
    Line("veesing", "您的取件码是{pick}。", {"warning variables": ""}),
    # length
    Line(SEVERAL, "长" * 65),
    Line(SEVERAL, "长" * 66, {"hint segments": ""}),
    Line("ihuyi", "长" * 301, {"warning length": "", "hint segments": ""}),
    Line("ihuyi", "长" * 501, {"error length": "", "hint segments": ""}),
    Line("apispace", "长" * 531, {"hint segments": ""}),
    Line("apispace", "长" * 532, {"error length": "", "hint segments": ""}),
    Line("topthink qixuntong", "长" * 900, {"hint segments": ""}),
    Line(SEVERAL, "", {"error empty": ""}),
    Line(SEVERAL, " \r\n ", {"error empty": ""}),
)

TOPICS = {
    "porn": "内含色情图片",
    "gambling": "欢迎下注六合彩",
    "drugs": "出售冰毒",
    "violence": "出售枪支",
    "finance": "低息网贷秒放款",
    "crypto": "比特币挖矿",
    "prize": "恭喜您抽奖成功",
    "rebate": "购物返利到账",
    "invoice": "代开发票",
    "agency": "代办证件",
    "fakes": "高仿名表",
    "tobacco": "茅台到货",
    "politics": "党建活动",
    "law": "律师函已寄出",
    "charity": "众筹成功",
    "religion": "大师算命",
    "funeral": "墓地预订",
    "fur": "皮草到店",
    "faking": "刷单日结",
    "traffic": "免费流量领取",
    "superlatives": "史上最低",
    "invitation": "诚邀您入驻",
    "marketing": "大促销",
    "points": "积分兑换",
    "surgery": "医美体验",
    "medicine": "挂号成功",
    "contact": "请加客户顾问QQ，扣扣号1234567",
    "service": "请联系人工客服",
    "beta": "下载 betaqr.com/a",
    "estate": "房源上新",
    "study": "移民讲座",
    "recruiting": "急招兼职",
    "dating": "周末相亲",
    "games": "网游开服",
}
"""A text for each topic."""
