"""Forms for signatures and templates: which fields may change, and which texts are imported."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.functional import cached_property
from django.utils.html import escape
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_smsverify.characters import listed
from django_smsverify.enums import ReviewStatus, Submission
from django_smsverify.gateways.base import Gateway
from django_smsverify.models import Provider, Signature, Template
from django_smsverify.models.gateway_classes import gateway_class_or_missing
from django_smsverify.models.texts import purpose_validator
from django_smsverify.reviews.next_step import NOT_REVIEWED
from django_smsverify.reviews.verdicts import Text, submission_of

from .linting import LintedForm

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

MOST_IDS = 100
"""Texts that are imported at once; each needs a query to the vendor."""
FINAL = (ReviewStatus.PENDING, ReviewStatus.APPROVED)

LOCKED = {
    Submission.SIGNATURE: (
        "text",
        _("It is in review or approved, and this vendor lets nobody change that: copy it as a new draft."),
    ),
    Submission.TEMPLATE: (
        "content",
        _(
            "It is in review or approved, and this vendor lets nobody change that: copy it as a new draft. Only its "
            "placeholders can get other names here, with “variables” telling the vendor's."
        ),
    ),
}
"""The field whose change is refused, and what is said there."""


def kind_of(provider: Provider | None) -> type[Gateway]:
    """The class of a provider's gateway; MissingGateway, which supports nothing, if there is none."""
    return gateway_class_or_missing(provider.gateway if provider else "")


class FiledForm(LintedForm):
    """Protects the vendor's review result, and texts in review or approved, from changes by an operator."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        told: dict[str, StrOrPromise] = {
            "remark": _("For the reviewer: what the text is used for, and where. Some vendors refuse it without.")
        }
        if self.instance._state.adding:
            told["status"] = _("Leave “draft”, unless the vendor has decided already and cannot be asked from here.")
        kind = kind_of(self._provider)
        if not kind.reviews_texts:
            told["status"] = NOT_REVIEWED % {"vendor": kind.label}
        for name in told.keys() & self.fields.keys():
            self.fields[name].help_text = told[name]

    @cached_property
    def _provider(self) -> Provider | None:
        """The one that the form was posted with, else that of the row or of the address of the page."""
        posted = self.data.get(self.add_prefix("provider")) if self.is_bound else None
        found = str(posted or self.initial.get("provider") or "")
        return Provider.objects.filter(pk=found).first() if found.isdecimal() and found.isascii() else None

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        submission, kind = submission_of(self.instance), kind_of(cleaned.get("provider"))
        verdict = cleaned.get("status", self.instance.status)
        if submission in kind.answers_review and verdict != self.instance.status:
            self.add_error("status", _("This vendor decides that: enter the id, or submit the text for review."))
        if "provider" in self.changed_data and self.instance.remote_id and "remote_id" not in self.changed_data:
            self.add_error("remote_id", _("This is its id at the other provider: clear it, or enter the one here."))
        if self._clears_id(cleaned) and submission in kind.submits:
            self.add_error("remote_id", _("The vendor has it under this id: keep it, or enter another one."))
        if submission in kind.submits and self.instance.status in FINAL and not self.errors and self._differs(cleaned):
            self.add_error(*LOCKED[submission])
        return cleaned

    def _clears_id(self, cleaned: dict[str, Any]) -> bool:
        """Whether a page that was opened before the submission would clear the id; the text would look lost."""
        submitted = self.instance.status != ReviewStatus.DRAFT and self.instance.remote_id
        return bool(submitted) and not cleaned.get("remote_id", submitted)

    def _differs(self, cleaned: dict[str, Any]) -> bool:
        """Whether the vendor would get another content, or another vendor would get it."""
        words = {name: cleaned.get(name) for name in ("text", "content", "variables") if name in cleaned}
        changed = type(self.instance)(**words)
        return changed.vendors_content != self.instance.vendors_content or "provider" in self.changed_data


class SignatureForm(FiledForm):
    """Takes a name as people copy it, with the brackets that are put around it anyway."""

    def clean_text(self) -> str:
        """The name without one pair of brackets around it."""
        text: str = self.cleaned_data["text"].strip()
        return text[1:-1].strip() if re.fullmatch("【[^【】]*】", text) else text


class SignatureField(forms.ModelChoiceField):
    """Shows the provider, because signatures are often the same for all vendors."""

    def label_from_instance(self, obj: Signature) -> str:
        return f"{obj} · {obj.provider}"


class TemplateForm(FiledForm):
    """Offers only the signatures of the template's provider, where that is known."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._tell_what_a_draft_needs()
        if "signature" not in self.fields:
            return
        field, provider = self.fields["signature"], self._provider
        if provider is None:
            words = gettext("One of the same provider, whose name stands behind it.")
            field.help_text = " ".join(filter(None, [words, _told_of_vendors()]))
            return
        of_provider = Signature.objects.filter(provider=provider).select_related("provider")
        field.queryset = of_provider  # type: ignore[attr-defined]
        field.help_text, field.error_messages["invalid_choice"] = _told_of(provider, is_there=of_provider.exists())

    def _tell_what_a_draft_needs(self) -> None:
        told = {
            "variables": _(
                "{} where the vendor has the same names. Else our name before each colon and the vendor's behind it, "
                'such as {"code": "1", "minutes": "2"}.'
            )
        }
        if self.instance.status == ReviewStatus.DRAFT:
            told["content"] = _(
                "The text as it shall be reviewed, without the signature, its placeholders in braces: "
                "您的验证码是{code}，{minutes}分钟内有效。"
            )
        for name in told.keys() & self.fields.keys():
            self.fields[name].help_text = told[name]


def _told_of(provider: Provider, *, is_there: bool) -> tuple[str, str]:
    """The help text of a field for a provider's signatures, and its error message."""
    facts, kind = {"provider": provider.name}, kind_of(provider)
    if is_there:
        help_text = gettext(
            "Those of %(provider)s. For another provider: choose that, and save; then its own are offered."
        )
    elif not kind.reviews_texts:
        help_text = gettext("%(provider)s sends without one, too; with one, it stands in front of the text.")
    else:
        help_text = gettext("%(provider)s has no signature yet: add one first, if this vendor sends with signatures.")
    needed = gettext("%(vendor)s needs one.") % {"vendor": kind.label} if kind.needs_signatures else ""
    error = gettext("This signature belongs to another provider: choose one of %(provider)s.")
    # Django takes a help text for HTML.
    return " ".join(filter(None, [needed, help_text % {"provider": escape(provider.name)}])), error % facts


def _told_of_vendors() -> str:
    """Which of the site's vendors need a signature; blank if none does."""
    used = Provider.objects.order_by("gateway").values_list("gateway", flat=True).distinct()
    needing = [str(kind.label) for kind in map(gateway_class_or_missing, used) if kind.needs_signatures]
    return gettext("Needed at: %s") % listed(needing) if needing else ""


class ImportForm(forms.Form):
    """Which signatures of a vendor are imported."""

    provider = forms.ModelChoiceField(Provider.objects.none(), label=_("Provider"))
    ids = forms.CharField(
        label=_("Ids at the vendor"),
        widget=forms.Textarea(attrs={"rows": 4, "cols": 40}),
        help_text=_("As its console shows them, separated by spaces, commas or lines."),
    )
    submission = Submission.SIGNATURE

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        askable = [p.pk for p in Provider.objects.all() if self.submission in kind_of(p).answers_review]
        self.fields["provider"].queryset = Provider.objects.filter(pk__in=askable)  # type: ignore[attr-defined]

    def clean_ids(self) -> list[str]:
        """The ids, each once."""
        ids = list(dict.fromkeys(re.findall(r"[^\s,，、;；]+", self.cleaned_data["ids"])))
        if not 1 <= len(ids) <= MOST_IDS or max(map(len, ids)) > 64:
            raise forms.ValidationError(_("Enter between 1 and %d ids.") % MOST_IDS)
        return ids

    def texts(self) -> list[Text]:
        """A row for each id: the stored one, or a new one that has only the id and the provider."""
        return [self._text(remote_id) for remote_id in self.cleaned_data["ids"]]

    def _text(self, remote_id: str) -> Text:
        own = {"provider": self.cleaned_data["provider"], "remote_id": remote_id}
        return Signature.objects.filter(**own).first() or Signature(**own)


class ImportTemplateForm(ImportForm):
    """Which templates of a vendor are imported, and for which purpose."""

    purpose = forms.CharField(label=_("Purpose"), max_length=64, validators=[purpose_validator])
    signature = SignatureField(Signature.objects.select_related("provider"), required=False, label=_("Signature"))
    code = forms.RegexField(
        r"\A[A-Za-z_][A-Za-z0-9_]*\Z",
        required=False,
        label=_("Placeholder of the code"),
        help_text=_("The vendor's name for it, such as yzm; blank where it is code."),
    )
    submission = Submission.TEMPLATE

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        signature = cleaned.get("signature")
        if signature is not None and signature.provider != cleaned.get("provider"):
            self.add_error("signature", _("This signature belongs to another provider."))
        return cleaned

    def _text(self, remote_id: str) -> Text:
        cleaned = self.cleaned_data
        own = {"provider": cleaned["provider"], "purpose": cleaned["purpose"], "remote_id": remote_id}
        variables = {"code": cleaned["code"]} if cleaned["code"] not in ("", "code") else {}
        new = Template(**own, signature=cleaned["signature"], variables=variables)
        return Template.objects.filter(**own).first() or new
