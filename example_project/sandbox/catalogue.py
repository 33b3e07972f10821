"""The data of the sandbox vendors: accounts, signatures and submitted templates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

REMARK: Final = "用于示例站短信通知和验证码"


@dataclass(frozen=True, slots=True)
class Sign:
    """A signature submitted with a vendor that numbers its signatures."""

    id: str
    name: str
    approved: bool = True
    remark: str = REMARK


@dataclass(frozen=True, slots=True)
class Template:
    """A submitted text in the placeholder syntax of its vendor; id is empty if the vendor has no template ids."""

    id: str
    text: str
    approved: bool = True
    name: str = ""
    remark: str = REMARK


CREDENTIALS: Final[Mapping[str, Mapping[str, str]]] = {
    "topthink": {"app_code": "SANDBOX-APPCODE-7f3a19c2d84e"},
    "veesing": {"app_id": "SANDBOX-APPID-2RYN7C", "app_key": "SANDBOX-APPKEY-91b0e6d57f2c"},
    "apispace": {"token": "SANDBOX-TOKEN-c05d8e7a4b19f362"},
    "ihuyi": {"account": "SANDBOX-APIID-C31", "api_key": "SANDBOX-APIKEY-5e8d20b6a7f49c13"},
    "qixuntong": {"secret_id": "SANDBOX-SECRETID-8a41f7", "secret_key": "SANDBOX-SECRETKEY-d26c90be"},
    "aliyun": {"access_key_id": "SANDBOX-LTAI-4b92e0", "access_key_secret": "SANDBOX-ALIYUN-61c7d3f8ae05"},
    "aliyun_pnvs": {"access_key_id": "SANDBOX-LTAI-90d3c1", "access_key_secret": "SANDBOX-PNVS-f2a86b17de94"},
    "tencent": {"secret_id": "SANDBOX-AKID-40b7c1e9", "secret_key": "SANDBOX-CAMKEY-f2093ad86b51"},
    "twilio": {"account_sid": "AC5a1d0b0e00000000000000000000c0de", "auth_token": "SANDBOX-TWILIO-3d70a9e41cb8"},
}
OPTIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "tencent": {"sdk_app_id": "1400006666"},
    "twilio": {"from": "+15017122661"},
}
"""The options without which a vendor cannot be used."""

SUBMITTED_AT: Final = datetime(2024, 5, 20, 2, 0, tzinfo=UTC)

SIGNATURE: Final = "示例站"
SIGNED: Final = f"【{SIGNATURE}】"

CODE_TEXT: Final = "您的验证码是{code}，{minutes}分钟内有效。"
NOTICE_TEXT: Final = "{name}，您的订单已发货，请注意查收。"
PLAIN_TEXT: Final = "系统维护已完成，感谢您的支持。"

TOPTHINK_SIGN: Final = Sign("78", SIGNATURE)
TOPTHINK_UNAPPROVED_SIGN: Final = Sign("79", "待审站", approved=False)
TOPTHINK_SIGNS: Final = (TOPTHINK_SIGN, TOPTHINK_UNAPPROVED_SIGN)

TOPTHINK_CODE: Final = Template("234", "您的验证码是${code}，${minutes}分钟内有效。", name="验证码")
TOPTHINK_YZM: Final = Template("235", "验证码${yzm}，请勿泄露。", name="登录验证")
TOPTHINK_NOTICE: Final = Template("236", "${name}，您的订单已发货，请注意查收。", name="发货通知")
TOPTHINK_PLAIN: Final = Template("237", PLAIN_TEXT, name="维护通知")
TOPTHINK_UNAPPROVED: Final = Template("238", "动态码${code}，请勿转发。", approved=False, name="动态码")
TOPTHINK_TEMPLATES: Final = (
    TOPTHINK_CODE,
    TOPTHINK_YZM,
    TOPTHINK_NOTICE,
    TOPTHINK_PLAIN,
    TOPTHINK_UNAPPROVED,
)

VEESING_CODE: Final = Template("540", "您的验证码是{code}，5分钟内有效。")
VEESING_UNAPPROVED: Final = Template("541", "动态码{code}，请勿转发。", approved=False)
VEESING_TEMPLATES: Final = (VEESING_CODE, VEESING_UNAPPROVED)
VEESING_POINTS: Final = 1_000_000

APISPACE_CODE: Final = Template("", "您的验证码是{$var}，{$var}分钟内有效。")
APISPACE_NOTICE: Final = Template("", "{$var}，您的订单已发货，请注意查收。")
APISPACE_PLAIN: Final = Template("", PLAIN_TEXT)
APISPACE_TEMPLATES: Final = (APISPACE_CODE, APISPACE_NOTICE, APISPACE_PLAIN)

IHUYI_DEFAULT: Final = Template("1", "您的验证码是：【变量】。请不要把验证码泄露给其他人。")
IHUYI_CODE: Final = Template("2001", "您的验证码是【变量1】，【变量2】分钟内有效。")
IHUYI_NOTICE: Final = Template("2002", "【变量】，您的订单已发货，请注意查收。")
IHUYI_PLAIN: Final = Template("2003", PLAIN_TEXT)
IHUYI_UNAPPROVED: Final = Template("2004", "动态码【变量】，请勿转发。", approved=False)
IHUYI_TEMPLATES: Final = (IHUYI_DEFAULT, IHUYI_CODE, IHUYI_NOTICE, IHUYI_PLAIN, IHUYI_UNAPPROVED)
IHUYI_CREDITS: Final = 1_000_000
IHUYI_SENSITIVE: Final = ("贷款", "博彩", "中奖")

QIXUNTONG_CODE: Final = Template("", CODE_TEXT)
QIXUNTONG_NOTICE: Final = Template("", NOTICE_TEXT)
QIXUNTONG_PLAIN: Final = Template("", PLAIN_TEXT)
QIXUNTONG_TEMPLATES: Final = (QIXUNTONG_CODE, QIXUNTONG_NOTICE, QIXUNTONG_PLAIN)

ALIYUN_SIGN: Final = Sign(SIGNATURE, SIGNATURE)
ALIYUN_UNAPPROVED_SIGN: Final = Sign("待审站", "待审站", approved=False)
ALIYUN_SIGNS: Final = (ALIYUN_SIGN, ALIYUN_UNAPPROVED_SIGN)
ALIYUN_CODE: Final = Template("SMS_234", "您的验证码是${code}，${minutes}分钟内有效。", name="验证码")
ALIYUN_NOTICE: Final = Template("SMS_236", "${name}，您的订单已发货，请注意查收。", name="发货通知")
ALIYUN_PLAIN: Final = Template("SMS_237", PLAIN_TEXT, name="维护通知")
ALIYUN_UNAPPROVED: Final = Template("SMS_238", "动态码${code}，请勿转发。", approved=False, name="动态码")
ALIYUN_TEMPLATES: Final = (ALIYUN_CODE, ALIYUN_NOTICE, ALIYUN_PLAIN, ALIYUN_UNAPPROVED)

PNVS_SIGNS: Final = (Sign(SIGNATURE, SIGNATURE),)
PNVS_CODE: Final = Template("100001", "您的验证码是${code}，${minutes}分钟内有效。")
PNVS_TEMPLATES: Final = (PNVS_CODE,)

TENCENT_SIGN: Final = Sign("78", SIGNATURE)
TENCENT_UNAPPROVED_SIGN: Final = Sign("79", "待审站", approved=False)
TENCENT_SIGNS: Final = (TENCENT_SIGN, TENCENT_UNAPPROVED_SIGN)
TENCENT_CODE: Final = Template("3001", "您的验证码是{1}，{2}分钟内有效。", name="验证码")
TENCENT_NOTICE: Final = Template("3002", "{1}，您的订单已发货，请注意查收。", name="发货通知")
TENCENT_PLAIN: Final = Template("3003", PLAIN_TEXT, name="维护通知")
TENCENT_UNAPPROVED: Final = Template("3004", "验证码{1}，请勿转发。", approved=False, name="动态码")
# A value of a verification code (验证码) has at most six digits; that of a notice may have more.
TENCENT_LONG: Final = Template("3005", "您的动态密码是{1}，{2}分钟内有效。", name="动态密码")
TENCENT_TEMPLATES: Final = (TENCENT_CODE, TENCENT_NOTICE, TENCENT_PLAIN, TENCENT_UNAPPROVED, TENCENT_LONG)
TENCENT_PACKAGE: Final = 1_000_000

TWILIO_SERVICE: Final = "MG5a1d0b0e00000000000000000000c0de"
TWILIO_CREDITS: Final = 1_000_000
