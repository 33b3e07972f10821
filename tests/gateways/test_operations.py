"""Requests of other operations than sending, compared with the vendors' documents."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import time_machine

from django_smsverify.gateways.ihuyi import IhuyiGateway
from django_smsverify.gateways.topthink import TopThinkGateway
from django_smsverify.types import Account

IHUYI = {"account": "test", "api_key": "1q784322ba1d9bb88d50cf5cdfd89k7d"}


@time_machine.travel(datetime.fromtimestamp(1451544941, UTC), tick=False)
def test_ihuyis_balance_password_signs_only_account_and_time() -> None:
    gateway = IhuyiGateway(Account(base_url="https://106.ihuyi.com", credentials=IHUYI))

    request = gateway.request("GetNum", gateway.authorized("", "", {})).prepare()

    assert request.url == "https://106.ihuyi.com/webservice/sms.php?method=GetNum"
    assert request.body == "account=test&password=73f6e7a36e0fd30ad7eea940ca1896b2&time=1451544941&format=json"


@pytest.mark.parametrize(
    ("path", "fields", "form"),
    [
        ("/sms/query_status", {"id": "6055075678d9"}, "id=6055075678d9"),
        ("/sms/query_sign", {"id": "471"}, "id=471"),
        ("/sms/add_template", {"name": "订单通知"}, "name=%E8%AE%A2%E5%8D%95%E9%80%9A%E7%9F%A5"),
        ("/sms/add_template", {"content": "${name}"}, "content=%24%7Bname%7D"),
    ],
)
def test_topthinks_operations_have_the_same_request_format(path: str, fields: dict[str, str], form: str) -> None:
    gateway = TopThinkGateway(Account(base_url="https://api.topthink.com", credentials={"app_code": "APPCODE"}))

    request = gateway.request(path, fields).prepare()

    assert (request.method, request.url) == ("POST", f"https://api.topthink.com{path}")
    assert request.body == form
