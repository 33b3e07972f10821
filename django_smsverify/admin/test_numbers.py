"""Test numbers in the admin: their code is shown once, on the page after it was made."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from django_smsverify import phones
from django_smsverify.conf import conf
from django_smsverify.exceptions import SMSVerifyError, UndecryptableValue
from django_smsverify.limits.failures import lift
from django_smsverify.models import KnownNumber, Recipient, TestNumber
from django_smsverify.models.test_numbers import new_codes
from django_smsverify.numbers.known import KNOWN_FOR
from django_smsverify.numbers.test_numbers import are_allowed

from .columns import masked_column, time_column
from .looks import ModelAdmin, render

MOST_DAYS = 90
"""How far ahead a test number may expire."""
NOTE = masked_column(TestNumber, "note")
SINCE = time_column(TestNumber, "created_at")


class TestNumberForm(forms.ModelForm):
    """When the number expires."""

    class Meta:
        model = TestNumber
        fields: ClassVar[tuple[str, ...]] = ("expires_at",)

    def clean_expires_at(self) -> datetime:
        """The end, which must lie ahead, and not too far."""
        now, expires_at = timezone.now(), self.cleaned_data["expires_at"]
        if self.instance.pk and self.instance.expires_at <= now:
            # Meanwhile the number may have become a person's, whom its code would let in.
            raise ValidationError(_("It has expired: delete it, and enter it again."))
        if not now < expires_at <= now + timedelta(days=MOST_DAYS):
            raise ValidationError(_("Choose a time within the next %d days.") % MOST_DAYS)
        return expires_at  # type: ignore[no-any-return]


class NewTestNumberForm(TestNumberForm):
    """The same of a new number, as people write it, and what it is for."""

    phone = forms.CharField(
        label=_("phone"), max_length=32, help_text=_("A number that nobody uses, or a phone of your own.")
    )

    class Meta(TestNumberForm.Meta):
        fields = ("phone", "expires_at", "note")

    def clean_phone(self) -> str:
        """The number in E.164; whoever knows its code can log in as its owner, so it must not be a person's."""
        try:
            number = phones.parse(self.cleaned_data["phone"])
        except SMSVerifyError as error:
            raise ValidationError(str(error)) from None
        if TestNumber.objects.filter(phone=number).exists():
            raise ValidationError(_("It is a test number already."))
        if KnownNumber.objects.find(number, timezone.now() - KNOWN_FOR):
            raise ValidationError(
                _(
                    "This number was verified here, so it is somebody's. If it is yours, forget it first: “Export or "
                    "forget a number” above the list of recipients."
                )
            )
        return number


@admin.register(TestNumber)
class TestNumberAdmin(ModelAdmin):
    """A number is entered once, and masked from then on; its end can be changed."""

    list_display = ("masked_phone", "state", time_column(TestNumber, "expires_at"), NOTE, "added_by")
    list_filter = ("expires_at",)
    show_facets = admin.ShowFacets.NEVER
    search_fields = ("phone__exact",)
    search_help_text = _("A whole number, as people write it")
    actions = ("make_new_code",)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        try:
            return queryset.filter(phone=phones.parse(search_term)), False
        except SMSVerifyError:
            return (queryset.none() if search_term else queryset), False

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return sensitive_post_parameters()(super().changeform_view)(request, *args, **kwargs)

    def get_form(self, request: HttpRequest, obj: TestNumber | None = None, change: bool = False, **kwargs: Any) -> Any:
        form = TestNumberForm if change else NewTestNumberForm
        return super().get_form(request, obj, change, **{"form": form, **kwargs})

    def get_fields(self, request: HttpRequest, obj: TestNumber | None = None) -> Any:
        shown = ("masked_phone", "state", "expires_at", NOTE, "added_by", SINCE)
        return NewTestNumberForm.Meta.fields if obj is None else shown

    def get_readonly_fields(self, request: HttpRequest, obj: TestNumber | None = None) -> Any:
        return () if obj is None else ("masked_phone", "state", NOTE, "added_by", SINCE)

    def save_model(self, request: HttpRequest, obj: TestNumber, form: Any, change: bool) -> None:
        if not change:
            obj.added_by = phones.masked(request.user.get_username())[:150]
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: TestNumber, post_url_continue: str | None = None) -> HttpResponse:
        """The page with the code: a message of Django's would be stored until it is shown."""
        return self._show_codes(request, [obj])

    @admin.action(description=_("Make a new code"), permissions=["change"])
    def make_new_code(self, request: HttpRequest, queryset: QuerySet[TestNumber]) -> HttpResponse:
        """Replaces the codes of the chosen numbers, also of verifications that are live, and shows them once.

        The wrong ones that were entered for the old codes are forgotten.
        """
        numbers = list(queryset)
        for number in numbers:
            number.codes = new_codes()
            number.save(update_fields=["codes"])
            self.log_change(request, number, "A new code was made.")
        lift(Recipient.objects.filter(phone__in=[number.phone for number in numbers]))
        return self._show_codes(request, numbers)

    def _show_codes(self, request: HttpRequest, numbers: list[TestNumber]) -> HttpResponse:
        context = {
            "numbers": [(phones.mask(number.phone), shown_codes(number)) for number in numbers],
            "are_allowed": are_allowed(),
        }
        page = render(self, request, "testnumber/codes.html", gettext("The code is shown only now"), **context)
        page["Cache-Control"] = "no-store"
        return page

    @admin.display(description=_("phone"))
    def masked_phone(self, row: TestNumber) -> str:
        """The number without its middle digits."""
        return phones.mask(row.phone)

    @admin.display(description=_("state"))
    def state(self, row: TestNumber) -> str:
        """Whether its code verifies now, in the active language."""
        if row.expires_at <= timezone.now():
            return gettext("expired: it gets SMS")
        if not are_allowed():
            return gettext("switched off: it gets SMS, as ALLOW_TEST_NUMBERS is False")
        try:
            return gettext("no SMS, its code verifies") if row.codes else gettext("it has no code: make a new one")
        except UndecryptableValue:
            return gettext("its code cannot be decrypted: make a new one")


def shown_codes(number: TestNumber) -> list[tuple[str, str]]:
    """The code of each length that the site uses, with the purposes of another length than the site's."""
    by_purpose = {purpose: conf.of(purpose).CODE_LENGTH for purpose in conf.PURPOSES}
    others = sorted(purpose for purpose, length in by_purpose.items() if length != conf.CODE_LENGTH)
    return [("", number.code(conf.CODE_LENGTH)), *((one, number.code(by_purpose[one])) for one in others)]
