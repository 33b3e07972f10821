"""Stored names and texts are checked by their vendor's rules: from Python, in the admin and by the command."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import Client, override_settings
from django.urls import reverse

from django_smsverify.linting import TextRules
from django_smsverify.models import Provider, Signature, Template
from tests.acme_sms import AcmeGateway
from tests.conftest import NO_FILINGS

pytestmark = pytest.mark.django_db

Row = Signature | Template
NO_NAMES = {"variables": "{}", "initial-variables": "{}"}
"""As a browser posts them: with the hidden field of the initial value."""
GOOD = "您的验证码是{code}，{minutes}分钟内有效。\n如非本人操作，请忽略。"


class StrictGateway(AcmeGateway):
    """A third party's gateway with its own rules."""

    text_rules = TextRules(signature_length=(3, 4), longest=20, longest_value=3)


STRICT = {"GATEWAYS": {"strict": f"{__name__}.StrictGateway"}}


def provider_at(gateway: str, **fields: Any) -> Provider:
    return Provider.objects.create(name=gateway, slug=gateway, gateway=gateway, **fields)


def template_of(provider: Provider, content: str, **fields: Any) -> Template:
    return Template.objects.create(provider=provider, purpose="login", name="login", content=content, **fields)


class TestModels:
    def test_a_signature_is_checked_by_the_rules_of_its_provider(self) -> None:
        signature = Signature(provider=provider_at("apispace"), text="7-11")

        assert [(found.level, found.rule, found.start) for found in signature.lint()] == [("error", "symbol", 1)]

    def test_a_template_is_checked_with_its_signature_and_variables(self) -> None:
        provider = provider_at("topthink")
        signature = Signature(provider=provider, text="示例站")
        content = "长" * 66
        template = Template(provider=provider, content=content + "{id}", variables={"id": "site"})

        assert [found.rule for found in template.lint()] == ["name"]
        template.signature = signature
        template.variables = {"id": "order_no"}
        assert [found.rule for found in template.lint()] == ["segments"]

    @pytest.mark.parametrize(
        ("gateway", "level"),
        [
            ("aliyun", "error"),
            ("tencent", "error"),
            ("topthink", "warning"),
            ("aliyun_pnvs", "warning"),
            ("twilio", ""),
        ],
    )
    def test_a_code_may_be_too_long_for_the_vendor(self, gateway: str, level: str) -> None:
        provider = provider_at(gateway)

        def levels(purpose: str, content: str = GOOD) -> list[str]:
            found = Template(provider=provider, purpose=purpose, content=content).lint()
            return [one.level for one in found if one.rule == "code_length"]

        with override_settings(SMSVERIFY={"CODE_LENGTH": 6, "PURPOSES": {"payment": {"CODE_LENGTH": 8}}}):
            assert levels("login") == []
            assert levels("payment") == ([level] if level else [])
            assert levels("payment", "您的订单{order}已发货。") == []

    def test_a_removed_gateway_leaves_the_general_rules(self) -> None:
        provider = provider_at("gone")

        assert Signature(provider=provider, text="7-11").lint()[0].level == "warning"
        assert [found.rule for found in Template(provider=provider, content="【甲】").lint()] == ["brackets"]

    def test_variables_that_are_not_a_mapping_are_not_checked(self) -> None:
        template = Template(provider=provider_at("topthink"), content=GOOD, variables=["code"])

        assert template.lint() == []

    @override_settings(SMSVERIFY=STRICT)
    def test_a_third_partys_gateway_declares_its_own_rules(self) -> None:
        provider = provider_at("strict")

        assert [found.rule for found in Signature(provider=provider, text="站").lint()] == ["length"]
        assert [found.rule for found in Template(provider=provider, content="长" * 21).lint()] == ["length"]

    def test_an_account_may_have_its_own_limit(self) -> None:
        provider = provider_at("ihuyi")
        for wrong in ("eight", "-8", "8.0", "８", "1234567890"):
            provider.options = {"longest_value": wrong}
            with pytest.raises(ValidationError, match="Write a whole number from 1 to 999"):
                provider.clean()

        for right in ("8", ""):
            provider.options = {"longest_value": right}
            provider.clean()


class AdminForms:
    """Saves texts in the admin."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def save(self, model: type[Row], row: Row | None, data: dict[str, Any]) -> Any:
        name = f"admin:smsverify_{model._meta.model_name}_{'change' if row else 'add'}"
        url = reverse(name, args=[row.pk] if row else [])
        answer = self.client.post(url, {**data, **NO_FILINGS}, follow=True)
        assert answer.status_code == 200
        return answer

    def template(self, provider: Provider, content: str, row: Template | None = None, **data: Any) -> Any:
        fields = {"purpose": "login", "name": "login", "status": "draft", "is_active": "on", **NO_NAMES}
        return self.save(Template, row, {**fields, "provider": provider.pk, "content": content, **data})

    def signature(self, provider: Provider, text: str, row: Signature | None = None, **data: Any) -> Any:
        return self.save(Signature, row, {"provider": provider.pk, "text": text, "status": "draft", **data})


def messages_of(answer: Any) -> list[tuple[str, str]]:
    """The messages after saving, without those of Django."""
    return [(one.level_tag, str(one)) for one in answer.context["messages"] if one.level_tag != "success"]


@pytest.fixture
def forms(admin_client: Client) -> AdminForms:
    return AdminForms(admin_client)


class TestAdmin:
    def test_a_text_with_an_error_is_not_saved(self, forms: AdminForms) -> None:
        answer = forms.template(provider_at("ihuyi"), "您的验证码是【变量】，{code}<b>。")

        assert not Template.objects.exists()
        html = answer.content.decode()
        assert "您的验证码是<mark>【变量】</mark>，{code}&lt;b&gt;。 — Write a placeholder as {code};" in html
        assert list(answer.context["adminform"].form.errors) == ["content"]

    def test_all_errors_are_shown_together(self, forms: AdminForms) -> None:
        answer = forms.signature(provider_at("apispace"), "【A&B")

        assert not Signature.objects.exists()
        assert len(answer.context["adminform"].form.errors["text"]) == 2

    def test_a_text_with_a_warning_is_saved_and_the_warning_is_shown(self, forms: AdminForms) -> None:
        answer = forms.template(provider_at("topthink"), "您的贷款验证码是{code}。")

        assert Template.objects.exists()
        (warning, hint) = messages_of(answer)
        assert warning[0] == "warning"
        assert warning[1].startswith("您的<mark>贷款</mark>验证码是{code}。 — This sounds like finance")
        assert hint[0] == "info"
        assert hint[1].startswith("Say what the code is for")

    def test_a_good_text_shows_no_message(self, forms: AdminForms) -> None:
        provider = provider_at("topthink")

        assert messages_of(forms.template(provider, GOOD)) == []
        assert messages_of(forms.signature(provider, "示例站")) == []
        assert Template.objects.count() == Signature.objects.count() == 1

    def test_an_approved_text_with_an_error_is_saved_with_a_warning(self, forms: AdminForms) -> None:
        provider = provider_at("ihuyi")

        (level, text) = messages_of(forms.template(provider, "【示例站】系统维护已完成。", status="approved"))[0]

        assert Template.objects.get().content == "【示例站】系统维护已完成。"
        assert level == "warning"
        assert text.startswith("Saved, because the vendor has approved it; yet: <mark>【示例站】</mark>系统维护")
        assert messages_of(forms.template(provider, GOOD.partition("\n")[0], status="approved")) == []
        assert messages_of(forms.signature(provider, "（甲）", status="approved"))
        assert Signature.objects.get().text == "（甲）"

    @pytest.mark.parametrize("status", ["draft", "pending", "rejected"])
    def test_a_text_with_an_error_is_not_saved_before_its_approval(self, status: str, forms: AdminForms) -> None:
        forms.template(provider_at("ihuyi"), "【示例站】系统维护已完成。", status=status)

        assert not Template.objects.exists()

    def test_an_error_in_a_stored_text_does_not_block_changes_of_other_fields(self, forms: AdminForms) -> None:
        provider = provider_at("ihuyi")
        row = template_of(provider, "【甲】系统维护已完成。")

        answer = forms.template(provider, row.content, row, is_active="", remark="旧")
        row.refresh_from_db()
        assert (row.is_active, row.remark, messages_of(answer)) == (False, "旧", [])

        answer = forms.template(provider, row.content, row, status="pending")
        row.refresh_from_db()
        assert row.status == "draft"
        assert "<mark>【甲】</mark>" in answer.content.decode()

    def test_a_change_of_the_provider_checks_the_text_again(self, forms: AdminForms) -> None:
        row = Signature.objects.create(provider=provider_at("qixuntong"), text="A&B")

        forms.signature(provider_at("apispace"), "A&B", row)

        assert Signature.objects.get().provider.slug == "qixuntong"

    def test_the_form_shows_the_findings(self, forms: AdminForms, admin_client: Client) -> None:
        row = template_of(provider_at("topthink"), "贷款<i>{code}")
        url = reverse("admin:smsverify_template_change", args=[row.pk])

        html = admin_client.get(url).content.decode()
        assert "<div>warning · <mark>贷款</mark>&lt;i&gt;{code} — This sounds like finance" in html
        assert "<div>hint · Say what the code is for" in html

        Template.objects.update(content=GOOD)
        assert "<div>" not in admin_client.get(url).content.decode().partition("Found in the text:")[2][:200]
        add = admin_client.get(reverse("admin:smsverify_template_add")).content.decode()
        assert "Found in the text" not in add

    def test_errors_of_the_form_are_shown_without_findings(self, forms: AdminForms) -> None:
        provider = provider_at("topthink")
        for wrong in ({"provider": ""}, {"content": "{code"}, {"provider": "0"}, {"variables": "{"}, {"content": ""}):
            fields = {"provider": provider.pk, "content": GOOD, "purpose": "login", "name": "login", "status": "draft"}
            answer = forms.save(Template, None, {**fields, **NO_NAMES, **wrong})
            errors = answer.context["adminform"].form.errors
            assert [(name, len(why)) for name, why in errors.items()] == [(name, 1) for name in wrong]
        assert not Template.objects.exists()


def lint(*args: str, fails: int = 0) -> str:
    """The output of the command; with `fails`, it must fail with so many errors."""
    out = io.StringIO()
    if not fails:
        call_command("smsverify_lint", *args, stdout=out)
    else:
        with pytest.raises(CommandError, match=f"^Errors: {fails}\\.") as caught:
            call_command("smsverify_lint", *args, stdout=out)
        assert caught.value.returncode == 1
    return out.getvalue()


class TestCommand:
    def test_it_lists_every_row_with_its_findings(self) -> None:
        topthink, apispace = provider_at("topthink"), provider_at("apispace")
        bad = Signature.objects.create(provider=apispace, text="示例 站")
        good = template_of(topthink, GOOD, status="approved")
        flawed = template_of(topthink, "贷款\x07{code}。")

        assert lint(fails=2).splitlines() == [
            f"signature:{bad.pk} apispace draft  示例 站",
            "  error   space        示例» «站  Write the name without spaces: vendors take them for a special "
            "character.",
            f"template:{good.pk} topthink approved  {GOOD.replace(chr(10), chr(92) + 'n')}",
            "  nothing found",
            f"template:{flawed.pk} topthink draft  贷款\\x07{{code}}。",
            "  error   hidden       贷款»\\x07«{code}。  There is a character that nobody sees (U+0007). "
            "Delete it, or type the text anew.",
            "  warning finance      »贷款«\\x07{code}。  This sounds like finance, which reviewers and carriers "
            "hold back. Say it otherwise or leave it out.",
            "  warning code-word    Name the code in the text: 验证码, 注册码, 校验码, 动态码 or 动态密码. "
            "Reviewers look for one of them.",
            "  hint    context      Say what the code is for, such as 用于登录, where, or how long it is valid: "
            "reviewers want one of these.",
        ]

    def test_it_lists_only_the_selected_rows(self) -> None:
        topthink, apispace = provider_at("topthink"), provider_at("apispace")
        Signature.objects.create(provider=apispace, text="示例 站")
        good, other = template_of(topthink, GOOD), template_of(topthink, GOOD)

        assert lint("--provider", "topthink").count("nothing found") == 2
        assert lint(f"template:{good.pk}").startswith(f"template:{good.pk} topthink")
        assert lint(f"template:{good.pk}", f"template:{other.pk}").count("nothing found") == 2

    def test_the_output_can_be_json(self) -> None:
        row = template_of(provider_at("veesing"), "验证码{code}【甲】")

        (result,) = json.loads(lint("--json", fails=1))

        assert (result["row"], result["provider"], result["status"]) == (
            f"template:{row.pk}",
            "veesing",
            "draft",
        )
        found, hint = result["findings"]
        assert (found["level"], found["rule"], result["text"][found["start"] : found["end"]]) == (
            "error",
            "brackets",
            "【甲】",
        )
        assert (hint["level"], hint["start"]) == ("hint", None)

    def test_a_text_can_be_checked_before_it_is_stored(self) -> None:
        text = r"您的登录验证码是{code}。\n如非本人操作，请忽略。"

        output = lint("--gateway", "apispace", "--text", text, "--signature", "示例站")

        assert output.splitlines() == [
            "apispace  示例站",
            "  nothing found",
            f"apispace  {text}",
            "  nothing found",
        ]
        assert "»[«" in lint("--gateway", "qixuntong", "--signature", "[示例", fails=1)

    @pytest.mark.parametrize(
        ("args", "why"),
        [
            (["--provider", "nobody"], "There is no provider nobody; there are: topthink."),
            (["template:0"], "There is no template 0."),
            (["signature:7"], "There is no signature 7."),
            (["7"], "7: name rows as template:12 or signature:3."),
            (["template:x", "message:1"], "template:x, message:1: name rows as"),
            (["--text", "t"], "--text and --signature go with --gateway"),
            (["--text", "t", "--gateway", "topthink", "template:1"], "--text and --signature go with --gateway"),
            (["--gateway", "topthink"], "--gateway goes with --text or --signature."),
            (["--text", "t", "--gateway", "nope"], 'There is no gateway "nope".'),
        ],
    )
    def test_wrong_arguments_are_explained(self, args: list[str], why: str) -> None:
        provider_at("topthink")

        with pytest.raises(CommandError) as caught:
            call_command("smsverify_lint", *args, stdout=io.StringIO())

        assert str(caught.value).startswith(why)
