"""Aliyun 短信认证: a code of the site's own, by signatures and templates that the vendor gives away."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping

from sandbox.catalogue import PNVS_SIGNS, PNVS_TEMPLATES
from sandbox.vendors.aliyun import AliyunProduct
from sandbox.vendors.base import RefusedError, is_mobile
from sandbox.wire import Reply, only


class AliyunPnvs(AliyunProduct):
    """dypnsapi.aliyuncs.com."""

    name = "aliyun_pnvs"
    initial_signs = PNVS_SIGNS
    initial_templates = PNVS_TEMPLATES

    def actions(self) -> Mapping[str, Callable[[dict[str, str]], Reply]]:
        return {"SendSmsVerifyCode": self._send}

    def _send(self, fields: dict[str, str]) -> Reply:
        only(fields, "PhoneNumber", "CountryCode", "SignName", "TemplateCode", "TemplateParam", "Interval", "OutId")
        if not all(fields.get(name) for name in ("PhoneNumber", "SignName", "TemplateCode", "TemplateParam")):
            raise RefusedError("MissingParameter")
        if not is_mobile(fields["PhoneNumber"]):
            raise RefusedError("isv.MOBILE_NUMBER_ILLEGAL")
        text = self.text(fields["SignName"], fields["TemplateCode"], fields["TemplateParam"])
        biz_id = f"{secrets.randbelow(10**16):016}^0"
        self.deliver(fields["PhoneNumber"], text, biz_id)
        model = {"BizId": biz_id, "OutId": fields.get("OutId", ""), "RequestId": "1"}
        return Reply.json({"Code": "OK", "Message": "成功", "Success": True, "RequestId": "1", "Model": model})
