"""The four scenes in which a site needs a verified number. They are ordinary views: take them as an example."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.views import LoginView
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse_lazy
from django.utils.translation import gettext as _
from django.views.generic import FormView, TemplateView

from demo.forms import NumberForm, PasswordLoginForm, PayForm, ResetForm, masked
from django_smsverify.contrib.accounts import login_backend
from django_smsverify.contrib.views import PhoneLoginView


class Entrance(PhoneLoginView):
    """Logs in or registers: all of it is in the app."""

    template_name = "demo/login.html"


class PasswordEntrance(LoginView):
    """Logs in by number and password."""

    form_class = PasswordLoginForm
    template_name = "demo/password.html"
    redirect_authenticated_user = True


class ResetView(FormView):
    """Sets a new password, and logs in."""

    form_class = ResetForm
    template_name = "demo/reset.html"
    success_url = reverse_lazy("account")

    def form_valid(self, form: ResetForm) -> HttpResponse:
        login(self.request, form.save(), backend=login_backend()[1])
        messages.success(self.request, _("Your password is set, and you are logged in."))
        return super().form_valid(form)


class AccountView(LoginRequiredMixin, TemplateView):
    """Who is logged in, and what they bought."""

    request: Any
    template_name = "demo/account.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        orders = self.request.user.order_set.filter(paid_at__isnull=False)[:5]
        number = masked(self.request.user)
        return super().get_context_data(**kwargs, orders=orders, number=number)


class MemberMixin(LoginRequiredMixin):
    """For accounts with a number. A proof is used up together with what it was for, or not at all."""

    request: Any

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        if request.user.is_authenticated and not request.user.phone:
            return redirect("account")
        with transaction.atomic():
            return super().dispatch(request, *args, **kwargs)


class PayView(MemberMixin, FormView):
    """Pays for a packet of tea."""

    form_class = PayForm
    template_name = "demo/pay.html"
    success_url = reverse_lazy("account")

    def get_form_kwargs(self) -> dict[str, Any]:
        orders = self.request.user.order_set
        order = orders.filter(paid_at=None).last() or orders.create()
        return {**super().get_form_kwargs(), "order": order}

    def form_valid(self, form: PayForm) -> HttpResponse:
        order = form.save()
        paid = _("Order %(number)s is paid: ¥%(amount)s.")
        messages.success(self.request, paid % {"number": order, "amount": order.amount})
        return super().form_valid(form)


class NumberView(MemberMixin, FormView):
    """Changes the number of the account."""

    form_class = NumberForm
    template_name = "demo/number.html"
    success_url = reverse_lazy("account")

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "user": self.request.user}

    def form_valid(self, form: NumberForm) -> HttpResponse:
        messages.success(self.request, _("Your number is now %s.") % masked(form.save()))
        return super().form_valid(form)
