"""What Tencent's codes mean: cloud.tencent.com/document/api/382/55981 and the list in the vendor's SDK."""

from __future__ import annotations

from django_smsverify.enums import Reason

ACCOUNT = (
    "AuthFailure*",
    "UnauthorizedOperation*",
    "FailedOperation.InsufficientBalanceInSmsPackage",
    "FailedOperation.NotEnterpriseCertification",
    "FailedOperation.ProhibitSubAccountUse",
    "FailedOperation.ForbidAddMarketingTemplates",
    "FailedOperation.QualificationIdNotApproved",
    "InvalidParameterValue.SdkAppIdNotExist",
    "InvalidParameter.AppidAndBizId",
    "InternalError.RequestTimeException",
    "InternalError.SigFieldMissing",
    "InternalError.SigVerificationFail",
    "IpInBlacklist",
    "IpNotInWhitelist",
)
CONTENT = (
    "FailedOperation.ContainSensitiveWord",
    "FailedOperation.Sign*",
    "FailedOperation.Template*",
    "FailedOperation.Missing*",
    "FailedOperation.MarketingSendTimeConstraint",  # from 8 to 22 o'clock only
    "InvalidParameter.DirtyWordFound",
    "InvalidParameterValue.ContentLengthLimit",
    "InvalidParameterValue.Template*",
    "InvalidParameterValue.ProhibitedUseUrlInTemplateParameter",
    "InvalidParameterValue.InvalidTemplateFormat",
    "InvalidParameterValue.UnsupportedTemplateVariable",
    "InvalidParameterValue.MarketingTemplateWithoutUnsubscribe",
    "InvalidParameterValue.Sign*",
    "UnsupportedOperation.ChineseMainlandTemplateToGlobalPhone",
    "UnsupportedOperation.GlobalTemplateToChineseMainlandPhone",
)
RECIPIENT = (
    "FailedOperation.PhoneNumber*",
    "InvalidParameterValue.IncorrectPhoneNumber",
    "UnsupportedOperation.UnsupportedRegion",
    "LimitExceeded.AppCountryOrRegionInBlacklist",
)
FREQUENCY = ("LimitExceeded.PhoneNumber*", "LimitExceeded.DeliveryFrequencyLimit")
RATE = ("LimitExceeded*", "RequestLimitExceeded*")
OTHER = (
    "LimitExceeded.PhoneNumberCountLimit",  # more than 200 numbers in a call
    "InternalError.JsonParseFail",
    "InternalError.RestApiInterfaceNotExist",
)
REASONS = {
    **dict.fromkeys(ACCOUNT, Reason.ACCOUNT),
    **dict.fromkeys(CONTENT, Reason.CONTENT),
    **dict.fromkeys(RECIPIENT, Reason.RECIPIENT),
    **dict.fromkeys(FREQUENCY, Reason.FREQUENCY),
    **dict.fromkeys(RATE, Reason.RATE),
    **dict.fromkeys(OTHER, Reason.OTHER),
}
UNCERTAIN = (
    "InternalError*",  # no page says whether the SMS left
    # Success is "Ok": in another spelling it is no documented success, and no refusal either.
    "OK",
    "ok",
)
