"""Logins by number: a page with the widget, and one call for apps."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from django import forms
from django.apps import apps
from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import RedirectURLMixin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.generic import FormView
from rest_framework.response import Response

from django_smsverify import phones
from django_smsverify.exceptions import ProofRejected, SMSVerifyError
from django_smsverify.http.json_body import JSONRequest
from django_smsverify.models import Verification
from django_smsverify.serializers import VerifySerializer
from django_smsverify.verifying.context import canonical
from django_smsverify.verifying.guess import check_guess
from django_smsverify.verifying.proofs import device_token_of, make_proof
from django_smsverify.views import FrontEndView, keyed_by_client, read

from .accounts import PhoneProofBackend, login_backend
from .forms import SMSVerifyInput


class PhoneLoginForm(forms.Form):
    """Takes a proof, and gives the account of its number."""

    proof = forms.CharField(label="")
    user: Any = None
    """The account, once the form is valid."""

    def __init__(self, *args: Any, purpose: str, creates: bool, remember: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.purpose, self.creates, self.remember = purpose, creates, remember
        self.fields["proof"].widget = SMSVerifyInput(purpose, {"autosubmit": True, "remember": remember})

    def clean_proof(self) -> str:
        """Redeems the proof; raises ValidationError."""
        proof = str(self.cleaned_data["proof"])
        try:
            self.user, _is_new = login_backend()[0].enter(proof, self.purpose, creates=self.creates)
        except SMSVerifyError as error:
            raise ValidationError(str(error), code=error.code) from None
        return proof


@method_decorator([login_not_required, csrf_protect, never_cache], name="dispatch")
class PhoneLoginView(RedirectURLMixin, FormView):
    """Logs in, or registers, whoever verifies a number.

    It leads to `next`, where that is a page of this site, else to LOGIN_REDIRECT_URL. Who is logged in already is led
    on, too, unless a page has sent them here: that may have refused this account. A site's own template is
    `smsverify/login.html`.
    """

    form_class = PhoneLoginForm
    template_name = "smsverify/login.html"
    purpose = "login"
    creates = True
    """Whether a number without an account gets one."""
    remember = False
    """Whether the browser keeps a token that shows that it is the owner's; the number is kept beside it."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if request.user.is_authenticated and not self.get_redirect_url():
            return HttpResponseRedirect(self.get_success_url())
        return super().dispatch(request, *args, **kwargs)

    def get_form_kwargs(self) -> dict[str, Any]:
        own = {"purpose": self.purpose, "creates": self.creates, "remember": self.remember}
        return {**super().get_form_kwargs(), **own}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs, next=self.get_redirect_url())

    def get_default_redirect_url(self) -> str:
        return resolve_url(self.next_page or settings.LOGIN_REDIRECT_URL)

    def form_valid(self, form: PhoneLoginForm) -> HttpResponse:
        login(self.request, form.user, backend=login_backend()[1])
        return HttpResponseRedirect(self.get_success_url())


class PhoneLoginEndpoint(FrontEndView):
    """Verifies a code and logs in, or registers, its number's owner in one call, for apps that expect that.

    It takes what `verify/` takes. It needs no CSRF token: it reads nothing but JSON, which a page of another site can
    send only if this site's CORS rules let it.
    """

    purpose = "login"
    creates = True
    granted: Mapping[str, str] = {}
    """The texts that `grant` adds to the answer, and what each is, for the OpenAPI schema."""

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """Returns the view as `FrontEndView` does, and describes it if drf-spectacular is installed."""
        if apps.is_installed("drf_spectacular"):
            import_module("django_smsverify.contrib.openapi")  # which imports this module
        return super().as_view(**initkwargs)

    def post(self, request: JSONRequest, **path: Any) -> Response:
        asked = read(VerifySerializer, request)
        bound = asked.pop("context", None)
        keyed = keyed_by_client(request, "login", str(asked["verification_id"]))
        verification = check_guess(asked["verification_id"], asked["code"], canonical(bound), keyed)
        user, is_new = self._enter(verification, bound, is_repeated=keyed is not None)
        told = {
            "phone": phones.mask(verification.phone),
            "created": is_new,
            "device": device_token_of(verification),
        }
        return self.answer(request, user, told)

    def answer(self, request: JSONRequest, user: Any, told: Mapping[str, Any]) -> Response:
        """Lets a user in, and returns the answer, which has what is told of the verification."""
        return Response({**told, **self.grant(request._request, user)})

    def grant(self, request: HttpRequest, user: Any) -> Mapping[str, Any]:
        """Lets a user in, and returns what the answer has for it; here it begins a session, whose cookie the answer
        brings."""
        login(request, user, backend=login_backend()[1])
        return {}

    def _enter(self, verification: Verification, bound: Any, *, is_repeated: bool) -> tuple[Any, bool]:
        backend: PhoneProofBackend = login_backend()[0]
        try:
            return backend.enter(make_proof(verification), self.purpose, context=bound, creates=self.creates)
        except ProofRejected:
            # The answer was lost, and the app repeats the request with its Idempotency-Key and the right code.
            user = backend.find_user(verification.phone) if is_repeated and self._has_entered(verification) else None
            if user is None or not backend.user_can_authenticate(user):
                raise
        return user, False

    def _has_entered(self, verification: Verification) -> bool:
        done = Verification.objects.filter(pk=verification.holder.pk, redeemed_at__isnull=False, purpose=self.purpose)
        return done.exists()


class PhoneTokenEndpoint(PhoneLoginEndpoint):
    """The same with a token of `rest_framework.authtoken` in place of a session: `{"token": "…"}`."""

    granted = {"token": "For the header `Authorization: Token …`"}

    def grant(self, request: HttpRequest, user: Any) -> Mapping[str, Any]:
        from rest_framework.authtoken.models import Token

        return {"token": Token.objects.get_or_create(user=user)[0].key}
