"""What Aliyun's codes mean: help.aliyun.com/document_detail/101346; those without isv and isp are of its gateway."""

from __future__ import annotations

from django_smsverify.enums import Reason

ACCOUNT = (
    "isv.AMOUNT_NOT_ENOUGH",
    "isv.OUT_OF_SERVICE",
    "isv.PRODUCT_UN*",
    "isv.ACCOUNT_*",
    "isp.RAM_PERMISSION_DENY",
    "isv.DENY_IP_RANGE",
    "InvalidAccessKeyId*",
    "MissingAccessKeyId",
    "SignatureDoesNotMatch",
    "IncompleteSignature",
    "SignatureNonceUsed",
    "InvalidTimeStamp*",
    "InvalidSecurityToken*",
    "Forbidden*",
    "NoPermission*",
)
CONTENT = (
    "isv.SMS_TEMPLATE_ILLEGAL",
    "isv.SMS_SIGN*",
    "isv.SIGN_*",
    "isv.TEMPLATE_*",
    "isv.INVALID_JSON_PARAM",
    "isv.PARAM_LENGTH_LIMIT",
    "isv.PARAM_NOT_SUPPORT_URL",
    "isv.SMS_CONTENT_*",
    "isv.UNSUPPORTED_CONTENT",
    # A word on one page of the vendor, a number on another: as a word it does the number no harm.
    "isv.BLACK_KEY_CONTROL_LIMIT",
    "isv.EXTEND_CODE_ERROR",
)
RECIPIENT = (
    "isv.MOBILE_NUMBER_ILLEGAL",
    "isv.CUSTOMER_REFUSED",
    "isv.DOMESTIC_NUMBER_NOT_SUPPORTED",
    "isv.SMS_TEST_NUMBER_LIMIT",
)
FREQUENCY = ("isv.BUSINESS_LIMIT_CONTROL",)  # by default 1 a minute, 5 an hour, 10 a day to a number
RATE = ("isv.DAY_LIMIT_CONTROL", "isv.MONTH_LIMIT_CONTROL", "Throttling*")
REASONS = {
    **dict.fromkeys(ACCOUNT, Reason.ACCOUNT),
    **dict.fromkeys(CONTENT, Reason.CONTENT),
    **dict.fromkeys(RECIPIENT, Reason.RECIPIENT),
    **dict.fromkeys(FREQUENCY, Reason.FREQUENCY),
    **dict.fromkeys(RATE, Reason.RATE),
}
UNCERTAIN = ("isp.SYSTEM_ERROR", "isp.GATEWAY_ERROR", "InternalError", "ServiceUnavailable")
"""No page says whether the SMS left with these."""
