"""The login by number of a site with dj-rest-auth."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from dj_rest_auth.views import LoginView
from django.apps import apps
from rest_framework.response import Response

from django_smsverify.http.json_body import JSONRequest

from .accounts import login_backend
from .views import PhoneLoginEndpoint


class PhoneRestAuthEndpoint(PhoneLoginEndpoint):
    """`POST login/` that answers as the login of dj-rest-auth does, with all that its settings ask for: a key, JWT in
    the body or in cookies, a session.

    Where `dj_rest_auth.mfa` is installed, who has a second factor is asked for it. A site that inherits `LoginView`
    names its class in `login_view`.
    """

    login_view: type[Any] | None = None

    def answer(self, request: JSONRequest, user: Any, told: Mapping[str, Any]) -> Response:
        user.backend = login_backend()[1]  # for the session
        login_view = self.login_view or _login_view()
        view = login_view(request=request, args=(), kwargs={}, format_kwarg=None)
        view.serializer = SimpleNamespace(validated_data={"user": user}, context=view.get_serializer_context())
        view.login()
        response: Response = view.get_response()
        response.data = {**told, **(response.data or {})}
        response.status_code = 200
        return response


def _login_view() -> Any:
    """The view of dj-rest-auth for its password login: a code must not let in where the password alone would not."""
    if not apps.is_installed("dj_rest_auth.mfa"):
        return LoginView
    from dj_rest_auth.mfa.views import MFALoginView

    return MFALoginView
