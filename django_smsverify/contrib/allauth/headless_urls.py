"""allauth's headless URLs outside ATOMIC_REQUESTS, with our forms; include it in place of `allauth.headless.urls`."""

from __future__ import annotations

from allauth.headless import app_settings
from allauth.headless.account import views
from allauth.headless.constants import Client
from allauth.headless.urls import app_name as app_name
from allauth.headless.urls import urlpatterns as of_allauth
from django.urls import URLPattern, path

from django_smsverify.http.endpoints import without_transaction

from . import forms


class ConfirmLoginCodeView(views.ConfirmLoginCodeView):
    input_class = forms.ConfirmLoginCodeForm


class ConfirmReauthenticationCodeView(views.ConfirmReauthenticationCodeView):
    input_class = forms.ConfirmReauthenticationCodeForm


class VerifyPhoneView(views.VerifyPhoneView):
    input_class = forms.VerifyPhoneForm


def _of_client(client: str) -> list[URLPattern]:
    """The URLs that take a code; allauth's headless API does not read ACCOUNT_FORMS."""
    base, kind = f"{client}/v1/auth", Client(client)
    return [
        path(f"{base}/code/confirm", ConfirmLoginCodeView.as_api_view(client=kind)),
        path(f"{base}/phone/verify", VerifyPhoneView.as_api_view(client=kind)),
        path(f"{base}/reauthenticate/code/confirm", ConfirmReauthenticationCodeView.as_api_view(client=kind)),
    ]


# The first that fits is used. They need no names: allauth's lead to the same paths.
urlpatterns = without_transaction(
    [*(url for client in app_settings.CLIENTS for url in _of_client(client)), *of_allauth]
)
