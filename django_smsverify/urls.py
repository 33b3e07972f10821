"""The endpoints; include them where front ends can reach them."""

from __future__ import annotations

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from .http.endpoints import endpoint
from .masked import Secret
from .views import SendStatusView, SendView, TicketView, VerifyView
from .webhooks import webhook

app_name = "smsverify"


class SecretConverter(StringConverter):
    """A path segment that is masked wherever the arguments of a view are shown."""

    def to_python(self, value: str) -> Secret:
        return Secret(value)


register_converter(SecretConverter, "smsverify_secret")

urlpatterns = [
    path("send/", SendView.as_view(), name="send"),
    path("send/<str:verification_id>/", SendStatusView.as_view(), name="send-status"),
    path("verify/", VerifyView.as_view(), name="verify"),
    path("ticket/", TicketView.as_view(), name="ticket"),
    path("webhooks/<slug:slug>/<smsverify_secret:secret>/", endpoint(webhook), name="webhook"),
    # For consoles that remove the last slash: Django would redirect the push, and no vendor follows redirects.
    path("webhooks/<slug:slug>/<smsverify_secret:secret>", endpoint(webhook)),
]
