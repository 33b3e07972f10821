"""The admin pages, registered here for Django's autodiscovery."""

from __future__ import annotations

from .client_keys import ClientKeyAdmin
from .closures import ClosureAdmin
from .lists import ListEntryAdmin
from .opt_outs import OptOutAdmin
from .probes import ProbeNumberAdmin
from .providers import ProviderAdmin
from .records import (
    DeliveryReportAdmin,
    MessageAdmin,
    RecipientAdmin,
    ReplyAdmin,
    ReportBatchAdmin,
    VerificationAdmin,
)
from .spending import SpendingAdmin
from .test_numbers import TestNumberAdmin
from .texts import SignatureAdmin, TemplateAdmin

__all__ = [
    "ClientKeyAdmin",
    "ClosureAdmin",
    "DeliveryReportAdmin",
    "ListEntryAdmin",
    "MessageAdmin",
    "OptOutAdmin",
    "ProbeNumberAdmin",
    "ProviderAdmin",
    "RecipientAdmin",
    "ReplyAdmin",
    "ReportBatchAdmin",
    "SignatureAdmin",
    "SpendingAdmin",
    "TemplateAdmin",
    "TestNumberAdmin",
    "VerificationAdmin",
]
