"""What is left of the packages of SMS that an account bought from Tencent Cloud."""

from __future__ import annotations

import time
from datetime import datetime
from decimal import Decimal

import requests

from django_smsverify.exceptions import GatewayRejected
from django_smsverify.gateways.parsing import CHINA, amount
from django_smsverify.types import Answer

from .api import TencentAPI

FIRST_HOUR = "2015010100"
"""An hour before any package was created; packages are listed by that."""
MOST_PACKAGES = 500


class TencentPackages(TencentAPI):
    """An account without packages pays afterwards, and has no balance that could be asked for."""

    def build_balance(self) -> requests.Request:
        now = datetime.fromtimestamp(time.time(), CHINA)
        return self.request(
            "SmsPackagesStatistics",
            {
                "SmsSdkAppId": self.option("sdk_app_id"),
                "Limit": MOST_PACKAGES,
                "Offset": 0,
                "BeginTime": FIRST_HOUR,
                "EndTime": f"{now:%Y%m%d%H}",  # it must be before now: a package is counted an hour later at most
            },
        )

    def parse_balance(self, answer: Answer) -> Decimal | None:
        rows, now = self.response(answer)["SmsPackagesStatisticsSet"] or (), time.time()
        if len(rows) >= MOST_PACKAGES:
            raise GatewayRejected("the account has more packages than one answer lists", error_code="packages")
        left = [
            amount(row["PackageAmount"]) - amount(row["CurrentUsage"])
            for row in rows
            if amount(row["PackageEffectiveTime"]) <= now < amount(row["PackageExpiredTime"])
        ]
        # Without a package in force it is not 0: such an account may send all the same.
        return sum(left, Decimal()) if left else None
