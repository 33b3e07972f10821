"""The curl calls of the READMEs, made against the demo."""

from __future__ import annotations

import re

import pytest

from tests.papers import Paper, curl, with_curl

from .conftest import Demo

VENDORS = ("login", "login-topthink", "login-veesing", "login-apispace", "login-ihuyi", "login-qixuntong")


@with_curl
@pytest.mark.parametrize("purpose", VENDORS)
@pytest.mark.parametrize("name", ["README.rst", "README.zh-Hans.rst"])
def test_a_code_is_sent_read_and_verified(name: str, purpose: str, demo: Demo) -> None:
    readme = Paper(name)
    number = f"139{VENDORS.index(purpose):04}{len(name):04}"  # the demo requires a pause between two SMS to one number

    def call(path: str, **values: str) -> dict[str, object]:
        command = readme.call(path).replace("13800138000", number).replace('"login"', f'"{purpose}"')
        return curl(command, demo.url.rstrip("/"), **values)  # type: ignore[no-any-return]

    sent = call("/sms/send/")
    newest = call("/inbox/")["messages"][-1]  # type: ignore[index]
    (code,) = re.findall(r"(?<!\d)\d{6}(?!\d)", newest["text"])
    verified = call("/sms/verify/", verification_id=str(sent["verification_id"]), code=code)

    assert verified["purpose"] == purpose
