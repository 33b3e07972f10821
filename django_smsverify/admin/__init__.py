"""The admin pages, registered here for Django's autodiscovery."""

from __future__ import annotations

from django.contrib import admin

from .accesses import AccessAdmin
from .alerts import AlertAdmin
from .client_keys import ClientKeyAdmin
from .closures import ClosureAdmin
from .lists import ListEntryAdmin
from .messages import MessageAdmin
from .opt_outs import OptOutAdmin
from .ordering import use_our_order
from .overview import OverviewAdmin
from .probes import ProbeNumberAdmin
from .providers import ProviderAdmin
from .recipients import RecipientAdmin, RefusalAdmin
from .reports import DeliveryReportAdmin, ReplyAdmin, ReportBatchAdmin
from .spending import SpendingAdmin
from .test_numbers import TestNumberAdmin
from .texts import SignatureAdmin, TemplateAdmin
from .verifications import VerificationAdmin

__all__ = [
    "AccessAdmin",
    "AlertAdmin",
    "ClientKeyAdmin",
    "ClosureAdmin",
    "DeliveryReportAdmin",
    "ListEntryAdmin",
    "MessageAdmin",
    "OptOutAdmin",
    "OverviewAdmin",
    "ProbeNumberAdmin",
    "ProviderAdmin",
    "RecipientAdmin",
    "RefusalAdmin",
    "ReplyAdmin",
    "ReportBatchAdmin",
    "SignatureAdmin",
    "SpendingAdmin",
    "TemplateAdmin",
    "TestNumberAdmin",
    "VerificationAdmin",
]

use_our_order(admin.site)
