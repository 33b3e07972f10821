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
EVERY = "memory topthink apispace ihuyi qixuntong tencent aliyun aliyun_pnvs"
"""The vendors of mainland China whose texts may have several placeholders; `memory` has the general rules alone."""


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
    Line(ALL, "您的验证码是：{code}。请不要把验证码泄露给其他人。", {"hint context": ""}),
    Line(ALL, "验证码：{code}，您正在绑定银行卡，工作人员不会向您索要，切勿告知他人。"),
    Line(ALL, "{code}为您的登录验证码，请于5分钟内填写。如非本人操作，请联系客服。"),
    Line(ALL, "验证码{code}，用于微信登录，请勿转发，谨防贷款诈骗。"),
    Line(ALL, "动态码{code}，您正在使用微信支付，请勿添加陌生人微信。"),
    Line(LISTS, "您正在注册某某游戏，验证码{code}，5分钟内有效。"),
    Line(LISTS, "您正在预约看房，验证码{code}，购房咨询请以楼盘公示为准。"),
    Line(LISTS, "您正在投递招聘简历，验证码{code}。"),
    Line(ALL, "Your code is {code}. It expires in 5 minutes."),
    Line(
        SEVERAL,
        "您的验证码是{code}。\n@example.com #{code}",
        {"warning origin": "@example.com #{code}", "hint context": ""},
    ),
    Line(
        SEVERAL,
        "您的验证码是{code}。\r\n\r\n@www.example.com.cn #{code} @pay.example.com",
        {"warning origin": "@www.example.com.cn #{code} @pay.example.com"},
    ),
    Line(ALL, "验证码见末行，5分钟内有效。\n@example.com #{code}", {"warning origin": "@example.com #{code}"}),
    # brackets, braces, placeholders
    Line(ALL, "【示例站】您的验证码是{code}。", {"error brackets": "【示例站】"}),
    Line(ALL, "您的验证码是{code}。【示例站】", {"error brackets": "【示例站】"}),
    Line("ihuyi", "您的验证码是：【变量】。", {"error brackets": "【变量】"}),
    Line(ALL, "您的验证码是{code}】", {"error brackets": "】", "hint context": ""}),
    Line(ALL, "您的验证码是{code}，请[勿]泄露。", {"hint context": ""}),
    Line("topthink", "您的验证码是${code}。", {"warning syntax": "$", "hint context": ""}),
    Line("apispace", "您的验证码是{$var}。", {"error braces": "{$var}"}),
    Line("qixuntong", "您的验证码是｛code｝。", {"error braces": "｛code｝"}),
    Line("ihuyi", "您的验证码是{验证码}。", {"error braces": "{验证码}"}),
    Line("ihuyi", "您的验证码是{code}，{minutes。", {"error braces": "{"}),
    Line("qixuntong", "您的验证码是#code#。", {"warning syntax": "#code#"}),
    Line("veesing", "您的验证码是{code}，{minutes}分钟内有效。", {"error variables": ""}),
    Line(
        "veesing",
        "您的验证码是{code}。\n@example.com #{code}",
        {"error variables": "", "warning origin": "@example.com #{code}", "hint context": ""},
    ),
    Line("veesing", "系统维护已完成。", {"error variables": ""}),
    # topics that are forbidden for codes
    Line(LISTS, "您正在申请贷款，验证码{code}。", {"warning finance": "贷款"}),
    Line(OTHERS, "您正在申请贷款，验证码{code}。"),
    Line(LISTS, "贷·款验证码{code}。", {"warning finance": "贷·款", "hint context": ""}),
    Line(
        LISTS,
        "贷\u200b款验证码{code}。",
        {"warning finance": "贷\u200b款", "warning hidden": "\u200b", "hint context": ""},
    ),
    Line(LISTS, "验证码{code}，请勿泄露，贷款请登录官网。", {"warning finance": "贷款"}),
    Line(LISTS, "验证码{code}，您购买的股票已成交。", {"warning finance": "股票", "hint context": ""}),
    Line(
        ALL,
        "验证码{code}，加微信领红包。",
        {"warning contact": "加微信", "warning marketing": "红包", "hint context": ""},
    ),
    Line(ALL, "验证码{code}，有问题请加ＱＱ群。", {"warning contact": "加ＱＱ", "hint context": ""}),
    Line("topthink", "这是测试短信，验证码{code}。", {"warning unwelcome": "测试", "hint context": ""}),
    Line("qixuntong ihuyi", "这是测试短信，验证码{code}。", {"hint context": ""}),
    # characters
    Line("ihuyi veesing", "您的验证码是{code}👍", {"error emoji": "👍", "hint context": ""}),
    Line(LISTS, "您的验证码是{code}👨‍👩‍👧！", {"warning emoji": "👨‍👩‍👧", "hint context": ""}),
    Line(ALL, "您的验证码是{code}★，详情请登录官网查看☎", {"warning symbol": "★"}),
    Line(ALL, "您的验证码是\u200b\u200b{code}。", {"warning hidden": "\u200b\u200b", "hint context": ""}),
    Line(ALL, "您的验证码是{code}\x07。", {"error hidden": "\x07", "hint context": ""}),
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
    Line(
        SEVERAL,
        "水费账单已出，详见 https://pay.example.com/b/{bill} 请及时缴纳。",
        {"error link": "https://pay.example.com/b/{bill}"},
    ),
    Line(SEVERAL, "请登录 www.example.com", {"warning link": "www.example.com"}),
    Line(SEVERAL, "账单已发至 service@example.com，请查收。", {"warning contact": "service@example.com"}),
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
    Line(LISTS, "邀请您成为会员，退订回T", {"warning invitation": "邀请您成为", "warning unsubscribe": "退订回T"}),
    Line(SEVERAL, "代开发票，量大从优。", {"warning invoice": "代开发票"}),
    Line(SEVERAL, "您的订单异常，请联系客服。", {"warning service": "联系客服"}),
    Line(SEVERAL, "您的订单异常，请拨打24小时在线客服。", {"warning service": "拨打24小时在线客服"}),
    Line(SEVERAL, "工作人员不会让您联系客服转账，本店客服已为您备注。"),
    Line(SEVERAL, "请添加我们的微信{wechat}。", {"warning contact": "加我们的微信", "warning open": "{wechat}"}),
    Line(SEVERAL, "欢迎加 入会员，微信号：abc_12345", {"warning contact": "微信号：abc_12345"}),
    Line(SEVERAL, "家长请加班级QQ群，QQ群号见公告。", {"warning contact": "QQ群"}),
    # addresses
    Line(
        "apispace",
        "请登录https://example.com查看。",
        {"warning url": "https://example.com", "warning link": "https://example.com"},
    ),
    Line("topthink ihuyi", "请登录https://example.com查看。", {"warning link": "https://example.com"}),
    Line(
        "apispace",
        "请登录 https://example.com/a.",
        {"warning url": "https://example.com/a", "warning link": "https://example.com/a"},
    ),
    Line("apispace", "请登录 example.cn。", {"warning url": "example.cn", "warning link": "example.cn"}),
    Line(
        "topthink", "新版下载： https://fir.im/abcd ", {"warning beta": "fir.im", "warning link": "https://fir.im/abcd"}
    ),
    Line("apispace", "新版下载 pgyer.com/abcd", {"warning beta": "pgyer.com", "warning link": "pgyer.com/abcd"}),
    # variables
    Line("topthink", "{name}，订单{order2}已发货。", {"error name": "{order2}"}),
    Line("topthink", "{name}，订单{order2}已发货。", variables={"order2": "order_no"}),
    Line("topthink", "您的手机{mobile}已绑定。", {"error name": "{mobile}", "warning open": "{mobile}"}),
    Line(
        "topthink",
        "您的手机{phone}已绑定。",
        {"error name": "{phone}", "warning open": "{phone}"},
        variables={"phone": "mobile"},
    ),
    Line("apispace ihuyi qixuntong", "您的手机{mobile}已绑定{order2}。", {"warning open": "{mobile}"}),
    Line("topthink", "{a}{b}{c}{d}{e}{f}{g}{h}{i}。", {"error variables": "", "error bare": ""}),
    Line("topthink", "{a}{b}{c}{d}{e}{f}{g}{h}{h}。", {"error bare": ""}),
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


def mainland(text: str, verdict: Mapping[str, str] | None = None, **others: Mapping[str, str]) -> list[Line]:
    """A text at vendors of mainland China; `others` have another verdict, `aliyun` at both of its products."""
    if "aliyun" in others:
        others["aliyun_pnvs"] = others["aliyun"]
    lines = [Line(gateway, text, found, signature="云杉") for gateway, found in others.items()]
    general = " ".join(gateway for gateway in EVERY.split() if gateway not in others)
    return [Line(general, text, verdict or {}, signature="云杉"), *lines]


CARRIERS = (
    *mainland("验证码{code}，用于登录云杉，{minutes}分钟内有效，请勿告诉他人。"),
    *mainland("您的注册码是{code}，{minutes}分钟内有效。"),
    *mainland("云杉校验码：{code}，正在更换手机号，若非本人操作请忽略。"),
    *mainland("动态密码{code}，仅用于本次支付，{minutes}分钟后失效。"),
    *mainland("{code}", {"error bare": ""}),
    *mainland("{code}，{minutes}分钟内有效。", {"warning code-word": ""}),
    *mainland("验证码{code}。", {"hint context": ""}, aliyun={"warning context": ""}),
    *mainland(
        "验证码{code}，登录 https://yunshan.example 使用，{minutes}分钟内有效。",
        {"warning link": "https://yunshan.example"},
        aliyun={"error link": "https://yunshan.example"},
    ),
    *mainland(
        "验证码{code}，请到yunshan.com填写，{minutes}分钟内有效。",
        {"warning link": "yunshan.com"},
        apispace={"warning link": "yunshan.com", "warning url": "yunshan.com"},
        aliyun={"error link": "yunshan.com"},
    ),
    *mainland(
        "验证码{code}，详见 t.cn/Aq3Zk ，{minutes}分钟内有效。",
        {"warning link": "t.cn/Aq3Zk"},
        aliyun={"error link": "t.cn/Aq3Zk"},
    ),
    *mainland(
        "验证码{code}，请在10.20.30.40输入，{minutes}分钟内有效。",
        {"warning link": "10.20.30.40"},
        aliyun={"error link": "10.20.30.40"},
    ),
    *mainland("验证码{code}，{minutes}分钟内有效。\n@yunshan.com #{code}", {"warning origin": "@yunshan.com #{code}"}),
    *mainland(
        "验证码{code}，请在 云杉点com 填写，{minutes}分钟内有效。",
        {"warning link": "云杉点com"},
        aliyun={"error link": "云杉点com"},
    ),
    *mainland(
        "验证码{code}，有疑问请拨4001230000，{minutes}分钟内有效。",
        {"warning contact": "4001230000"},
        aliyun={"error contact": "4001230000"},
    ),
    *mainland(
        "验证码{code}，有疑问请拨010-66660000，{minutes}分钟内有效。",
        {"warning contact": "010-66660000"},
        aliyun={"error contact": "010-66660000"},
    ),
    *mainland(
        "验证码{code}，非本人操作请致电13800138000。",
        {"warning contact": "13800138000", "hint context": ""},
        aliyun={"error contact": "13800138000", "warning context": ""},
    ),
    *mainland("验证码{code}，如非本人操作请联系客服，{minutes}分钟内有效。"),
    *mainland(
        "验证码{code}，{minutes}分钟内有效，客服QQ：100200300。",
        {"warning contact": "QQ：100200300"},
        aliyun={"error contact": "QQ：100200300"},
    ),
    *mainland(
        "验证码{code}，{minutes}分钟内有效，微信号yunshan_kf。",
        {"warning contact": "微信号yunshan_kf"},
        aliyun={"error contact": "微信号yunshan_kf"},
    ),
    *mainland(
        "验证码{code}，{minutes}分钟内有效，问题请写信至help@yunshan.com。",
        {"warning contact": "help@yunshan.com"},
        aliyun={"error contact": "help@yunshan.com"},
    ),
    *mainland(
        "验证码{code}，{minutes}分钟内有效，关注公众号云杉领取礼包。",
        {"warning marketing": "礼包", "warning contact": "关注公众号"},
        aliyun={"error contact": "关注公众号", "warning marketing": "礼包"},
    ),
    *mainland(
        "验证码{code}，用于登录云杉，{minutes}分钟内有效，拒收请回复R",
        {"hint unsubscribe": "拒收请回复R"},
        aliyun={"warning unsubscribe": "拒收请回复R"},
    ),
    *mainland("验证码{code}，用于登录云杉，{minutes}分钟内有效，回T退订", {"warning unsubscribe": "回T退订"}),
    *mainland("驗證碼{code}，用於登入雲杉，{minutes}分鐘內有效。", {"warning traditional": "驗證碼"}),
    *mainland("验证码{code}★{minutes}分钟内有效，请勿泄露。", {"warning symbol": "★"}),
    *mainland("[云杉]验证码{code}，{minutes}分钟内有效。", {"warning square": "[云杉]"}),
    *mainland("【云杉】验证码{code}，{minutes}分钟内有效。", {"error brackets": "【云杉】"}),
    *mainland("验证码{code}，用于办理中国移动流量业务，{minutes}分钟内有效。", {"warning carrier": "中国移动"}),
    *mainland(
        "验证码{code}，登录www.{name}.com，{minutes}分钟内有效。",
        {"error link": "www.{name}.com"},
        apispace={"error link": "www.{name}.com", "warning url": "www.{name}.com"},
    ),
    *mainland("验证码{code}，详情见{url}，{minutes}分钟内有效。", {"warning open": "{url}"}),
    *mainland("您的订单{number}已发出，请留意查收。"),
    *mainland("您的订单{number}已发出，司机电话{phone}。", {"warning open": "{phone}"}),
    *mainland("您的订单{number}已发出，详情 https://yunshan.com/o 。", {"warning link": "https://yunshan.com/o"}),
    *mainland("您预约的{date}体检已确认，请带好证件。", topthink={"warning medicine": "体检"}),
    *mainland(
        "您的会员将于{date}到期，续费享八折优惠，拒收请回复R",
        {"warning marketing": "八折优惠", "hint unsubscribe": "拒收请回复R"},
        aliyun={"warning unsubscribe": "拒收请回复R", "warning marketing": "八折优惠"},
    ),
    *mainland("您的账户于{time}在新设备登录，若非本人请尽快修改密码。"),
    *mainland("您的账户于{time}在新设备登录，若非本人请致电4001230000。", {"warning contact": "4001230000"}),
    *mainland("生日快乐！云杉送您一张优惠券，{date}前有效。", {"warning marketing": "优惠券"}),
    *mainland(
        "验 证 码 {code}，{minutes}分钟内有效，加v信领红包。", {"warning marketing": "红包", "warning contact": "加v信"}
    ),
    *mainland(
        "验证码{code}，用于查询贷款额度，{minutes}分钟内有效。",
        topthink={"warning finance": "贷款"},
        apispace={"warning finance": "贷款"},
    ),
)
"""Texts that show each rule of the carriers of mainland China and of their vendors, from 2025 on."""

ADDRESSES_AND_WORDS = (
    Line("memory", "请登录HTTP://YUNSHAN.COM", {"warning link": "HTTP://YUNSHAN.COM"}),
    Line("memory", "请登录yunshan.中国。", {"warning link": "yunshan.中国"}),
    Line("memory", "请登录云杉.com查看", {"warning link": "云杉.com"}),
    Line("memory", "访问 m.yunshan.online/a?b=1。", {"warning link": "m.yunshan.online/a?b=1"}),
    Line("memory", "登录YunShan.Com", {"warning link": "YunShan.Com"}),
    Line("memory", "请登录 12306.cn", {"warning link": "12306.cn"}),
    Line("memory", "接口 yunshan.com:8080 已恢复。", {"warning link": "yunshan.com:8080"}),
    Line("memory", "接口 192.168.1.1:8080/x 已恢复。", {"warning link": "192.168.1.1:8080/x"}),
    Line("memory", "接口 http://[::1]/ 已恢复。", {"warning link": "http://[::1]/"}),
    Line("memory", "接口 [2001:db8::1] 已恢复。", {"warning link": "[2001:db8::1]"}),
    Line("memory", "短链t.me/abc已生成。", {"warning link": "t.me/abc"}),
    Line("memory", "请登录ｗｗｗ．ｙｕｎｓｈａｎ．ｃｏｍ查看", {"warning link": "ｗｗｗ．ｙｕｎｓｈａｎ．ｃｏｍ"}),
    Line("memory", "请登录yunshan。com查看", {"warning link": "yunshan。com"}),
    Line("memory", "请登录yunshan . com查看", {"warning link": "yunshan . com"}),
    Line("memory", "请登录yunshan[.]com查看", {"warning link": "yunshan[.]com"}),
    Line("memory", "请登录yunshan dot com查看", {"warning link": "yunshan dot com"}),
    Line("memory", "店铺{shop}.yunshan.cn已开通。", {"error link": "{shop}.yunshan.cn"}),
    Line("memory", "店铺{shop}.com已开通。", {"error link": "{shop}.com"}),
    Line("memory", "请登录yunshan.com{code}，验证码5分钟内有效。", {"warning link": "yunshan.com"}),
    Line("memory", "您购买的5.5折图书已发货。"),
    Line("memory", "应用v2.0.1已发布，node.js升级到3.14。"),
    Line("memory", "版本1.2.3.4已发布。"),
    Line("memory", "U.S. orders ship today.Please wait, i.e. until 8 p.m."),
    Line("memory", "Dear {name}.Top up today.Net amount {amount}."),
    Line("memory", "请登录https://yunshan.com,{minutes}分钟内有效", {"warning link": "https://yunshan.com"}),
    Line("memory", "比例3.5@2.1已更新。"),
    Line("memory", "Mr.Li，您的订单已发货。"),
    Line("memory", "下午3点CN航空柜台集合。"),
    Line("memory", "请致电138 0013 8000", {"warning contact": "138 0013 8000"}),
    Line("memory", "请致电+86 13800138000", {"warning contact": "+86 13800138000"}),
    Line("memory", "请致电１３８００１３８０００", {"warning contact": "１３８００１３８０００"}),
    Line("memory", "客服(010)66660000", {"warning contact": "(010)66660000"}),
    Line("memory", "客服400-123-0000", {"warning contact": "400-123-0000"}),
    Line("memory", "客服95588", {"warning contact": "95588"}),
    Line("memory", "请拨打12345", {"warning contact": "12345"}),
    Line("memory", "请写信至{name}@qq.com", {"warning contact": "{name}@qq.com"}),
    Line("memory", "客服ＱＱ：１２３４５６", {"warning contact": "ＱＱ：１２３４５６", "warning service": "客服ＱＱ"}),
    Line("memory", "请加微信号：yunshan88", {"warning contact": "微信号：yunshan88"}),
    Line("memory", "微信yunshan-kf8", {"warning contact": "微信yunshan-kf8"}),
    Line("memory", "搜索公众号“云杉”", {"warning contact": "搜索公众号"}),
    Line("memory", "抖音号yunshan88", {"warning contact": "抖音号yunshan88"}),
    Line("memory", "订单号13800138000已发货。"),
    Line("memory", "订单202512051380013800已发货。"),
    Line("memory", "消费95000.00元，余额10086元。"),
    Line("memory", "进度95%，还有10分钟。"),
    Line("memory", "钉钉打卡成功，抖音店铺订单已发货。"),
    Line("memory", "司机{driver_phone}已出发。", {"warning open": "{driver_phone}"}),
    Line("memory", "您的手机{phone_model}已发货，联系人{contact_name}。"),
    Line("memory", "请回复{shortUrl}确认。", {"warning open": "{shortUrl}"}),
    Line("memory", "验证码{code}，5分钟内有效，九折优惠。", {"warning marketing": "九折"}),
    Line("memory", "会员登录验证码{code}，5分钟内有效。"),
    Line("memory", "您已成功退订会员服务。"),
    Line("memory", "请回T恤尺码。"),
    Line("memory", "拒收请回复TD", {"warning unsubscribe": "拒收请回复TD"}),
    Line("memory", "您的移动应用已审核，移动端已登录。"),
    Line("memory", "谨防电信诈骗，请勿移动车辆，道路联通性良好。"),
    Line("memory", "办理5G套餐请到营业厅。", {"warning carrier": "营业厅"}),
    Line("memory", "净含量5g，内存4GB。"),
    Line("memory", "服务器流量异常，车流量较大。"),
    Line("memory", "供电营业厅营业时间调整。"),
    Line("memory", "乾净整洁，著正装，皇后大道。"),
    Line("memory", "二○二五年十二月五日，会议照常。"),
    Line("memory", "面积95㎡，已登记。", {"warning symbol": "㎡"}),
    Line("memory", "「云杉」已完成。", {"warning symbol": "「"}),
    Line("memory", "内容请见公告[云杉]", {"warning square": "[云杉]"}),
    Line("memory", "内容[重要]请见公告。"),
    Line("memory", "Your OTP is {code}, valid for 5 minutes.", {"warning code-word": ""}),
    Line("memory", "Your login code is {code}."),
    Line("memory", "登录密码{code}，5分钟内有效。", {"warning code-word": ""}),
    Line("memory", "驗 證 碼{code}，5分钟内有效。", {"warning traditional": "驗"}),
    Line("memory", "{name}，{date}！", {"error bare": ""}),
)
"""How much the rules of the carriers meet, and what they leave alone."""

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
    "contact": "请加顾问QQ",
    "service": "请联系人工客服",
    "beta": "下载 betaqr.com/a",
    "estate": "房源上新",
    "study": "移民讲座",
    "recruiting": "急招兼职",
    "dating": "周末相亲",
    "games": "网游开服",
}
"""A text for each topic."""
