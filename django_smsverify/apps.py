"""The configuration of this Django app."""

from __future__ import annotations

from importlib.util import find_spec

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SMSVerifyConfig(AppConfig):
    """Label `smsverify`: tables, permissions and URL names begin with it."""

    name = "django_smsverify"
    label = "smsverify"
    verbose_name = _("SMS verification")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks  # noqa: F401 - register the checks
        from .conf import hide_alerts
        from .reports import follow_up
        from .sending import arrival, route_cache, second_route

        hide_alerts()
        route_cache.connect()
        follow_up.use(follow_up.FollowUp(second_route.second_of, arrival.note_report))

        if find_spec("drf_spectacular") is not None:
            from . import openapi  # noqa: F401 - describes the views to drf-spectacular
