"""The admin pages, registered here for Django's autodiscovery."""

from __future__ import annotations

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
    "DeliveryReportAdmin",
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
