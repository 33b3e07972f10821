"""The models of this app in the order in which an operator needs them; Django sorts them by their names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest

APP = "smsverify"
ORDER = (
    "Overview",
    "Message",
    "Verification",
    "Provider",
    "Template",
    "Signature",
    "ListEntry",
    "Closure",
    "Alert",
    "Refusal",
    "DeliveryReport",
    "Reply",
    "OptOut",
    "Spending",
    "TestNumber",
    "ProbeNumber",
    "ClientKey",
    "Recipient",
    "ReportBatch",
    "Access",
)
"""First what happened, then what it is sent with, then what stops it, and last what is rarely opened."""
AppList = Callable[..., list[Any]]


def use_our_order(site: AdminSite) -> None:
    """Has a site list our models in this order: on its index, on the app's, and in the navigation at the side.

    Other apps keep their places and their orders, and so does a site whose class makes its own list.
    """
    if site.__class__.get_app_list is AdminSite.get_app_list:
        site.get_app_list = ordered(site.get_app_list)  # type: ignore[method-assign]


def ordered(app_list: AppList) -> AppList:
    """The same list of apps, with the models of ours in our order."""

    def get_app_list(request: HttpRequest, app_label: str | None = None) -> list[Any]:
        found = app_list(request, app_label)
        for app in found:
            if app["app_label"] == APP:
                app["models"].sort(key=lambda model: _place(model["object_name"]))
        return found

    return get_app_list


def _place(name: str) -> int:
    """Of a model that is not named, the last one; the sort leaves such as they are among themselves."""
    return ORDER.index(name) if name in ORDER else len(ORDER)
