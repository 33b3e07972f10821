"""Signatures and templates in the admin, as an operator submits, imports and deletes them at the sandbox vendors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.contrib.messages import get_messages
from django.db import connection, router, transaction
from django.test import Client, override_settings
from django.urls import path, reverse
from django.utils import timezone
from sandbox import catalogue
from sandbox.server import Fault, Sandbox

from django_smsverify.admin.submission_forms import ImportForm, ImportTemplateForm
from django_smsverify.models import Provider, Signature, Template

from .conftest import CODE_TEXT, NO_FILINGS, MakeProvider, add_template

REMARK = "用于示例站登录"
Post = Callable[..., Any]

ops = admin.AdminSite(name="ops")
ops._registry = {model: type(own)(model, ops) for model, own in admin.site._registry.items()}
urlpatterns = [path("admin/", admin.site.urls), path("ops/", ops.urls)]


@pytest.fixture(params=[False, True], ids=["autocommit", "ATOMIC_REQUESTS"])
def client(request: pytest.FixtureRequest, admin_client: Client, transactional_db: None) -> Iterator[Client]:
    """The client of an operator; a site may wrap every request in a transaction."""
    before = connection.settings_dict["ATOMIC_REQUESTS"]
    connection.settings_dict["ATOMIC_REQUESTS"] = request.param
    yield admin_client
    connection.settings_dict["ATOMIC_REQUESTS"] = before


@pytest.fixture
def topthink(vendor: MakeProvider) -> Provider:
    provider = vendor("topthink")
    Template.objects.all().delete()
    Signature.objects.all().delete()
    return provider


def draft(provider: Provider, **fields: Any) -> Template:
    own = {"provider": provider, "purpose": "login", "name": "登录", "content": CODE_TEXT, "remark": REMARK}
    return Template.objects.create(**{**own, **fields})


def url(name: str, model: str = "template", *args: Any) -> str:
    return reverse(f"admin:smsverify_{model}_{name}", args=args)


def act(client: Client, action: str, *texts: Any, **more: str) -> list[str]:
    """The messages that the operator sees after an action on a list."""
    chosen = {"action": action, "_selected_action": [text.pk for text in texts], **more}
    answer = client.post(url("changelist", texts[0]._meta.model_name), chosen)
    words = shown_messages(answer)
    client.get(url("changelist"))  # this page shows the messages and removes them
    return words


def shown_messages(response: Any) -> list[str]:
    return [f"{message.level_tag}: {message}" for message in get_messages(response.wsgi_request)]


def form(text: Template, **fields: Any) -> dict[str, Any]:
    own = {
        "provider": text.provider_id,
        "signature": "",
        "purpose": text.purpose,
        "name": text.name,
        "content": text.content,
        "variables": "{}",
        "remark": text.remark,
        "remote_id": text.remote_id,
        "is_active": "on",
        **NO_FILINGS,
    }
    return {**own, **fields}


def state(text: Any) -> tuple[str, str]:
    text.refresh_from_db()
    return text.status, text.reason


def test_a_template_is_submitted_changed_and_deleted(client: Client, topthink: Provider, sandbox: Sandbox) -> None:
    text = draft(topthink)

    assert act(client, "submit", text) == ["success: 登录: submitted; the vendor reviews it now (in review)"]
    text.refresh_from_db()
    sandbox.judge("topthink", "template", text.remote_id, False, "缺公章")
    assert act(client, "fetch", text) == ["success: 登录: fetched (rejected)"]
    assert state(text) == ("rejected", "缺公章")

    changed = form(text, content="动态码{code}，请勿转发。")
    client.post(url("change", "template", text.pk), changed)
    client.get(url("changelist"))
    assert act(client, "resubmit", text) == ["success: 登录: submitted again; the vendor reviews it now (in review)"]
    assert sandbox.submitted("topthink", "template")[-1][1] == "动态码${code}，请勿转发。"

    assert act(client, "delete_at_vendor", text) == []
    assert state(text)[0] == "pending", "nothing happens before it is confirmed"
    assert act(client, "delete_at_vendor", text, confirmed="yes") == [
        "success: 登录: deleted at the vendor; it is a draft here (draft)"
    ]
    assert state(text) == ("draft", "")


def test_each_of_several_texts_has_its_own_message(client: Client, topthink: Provider, sandbox: Sandbox) -> None:
    good, bad = draft(topthink), draft(topthink, name="坏", status="approved", remote_id="234")

    words = act(client, "submit", good, bad)

    assert sorted(words) == [
        "error: 坏: It is approved, and the vendor lets nobody change that: copy it as a new draft and file that.",
        "success: 登录: submitted; the vendor reviews it now (in review)",
    ]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault.refuse("10004"), "the vendor says: 10004 模板变量错误 — Correct what it names"),
        (Fault.status(401), "Check the provider's credentials"),
        (Fault.status(429), "Try again later"),
    ],
    ids=["content", "account", "rate"],
)
def test_a_refusal_shows_the_vendors_words_and_what_to_do(
    fault: Fault, words: str, client: Client, topthink: Provider, sandbox: Sandbox
) -> None:
    text = draft(topthink)
    sandbox.misbehave("topthink", fault)

    (message,) = act(client, "submit", text)

    assert words in message
    assert message.startswith("error: 登录: ")
    assert message.endswith("Nothing was changed.")
    assert state(text) == ("draft", "")


def test_an_unreachable_vendor_changes_nothing(client: Client, topthink: Provider, closed_port: int) -> None:
    Provider.objects.update(base_url=f"http://127.0.0.1:{closed_port}")

    (message,) = act(client, "submit", text := draft(topthink))

    assert message.endswith("The vendor could not be reached: try again. Nothing was changed.")
    assert state(text) == ("draft", "")


def test_a_lost_answer_is_explained_in_the_message_and_on_the_page(
    client: Client, topthink: Provider, sandbox: Sandbox
) -> None:
    text = draft(topthink)
    sandbox.misbehave("topthink", Fault.deliver_then_status(502), times=1)

    (message,) = act(client, "submit", text)

    assert message.startswith("warning: 登录: the vendor says: 502")
    assert "Look in its console" in message
    assert "Look in its console" in client.get(url("change", "template", text.pk)).content.decode()
    remote_id = sandbox.submitted("topthink", "template")[-1][0]
    entered = client.post(url("change", "template", text.pk), form(text, remote_id=remote_id))
    assert "success: 登录: fetched (in review)" in shown_messages(entered)
    assert (state(text)[0], text.remote_id) == ("pending", remote_id)


def test_a_pending_text_can_be_made_a_draft_again(client: Client, topthink: Provider) -> None:
    text = draft(topthink, status="pending")

    assert act(client, "make_draft", text) == ["success: 登录: a draft again (draft)"]


def test_an_approved_text_must_be_copied_to_be_changed(client: Client, topthink: Provider) -> None:
    text = draft(topthink, status="approved", remote_id="234")

    refused = client.post(url("change", "template", text.pk), form(text, content="改{code}"))
    assert "copy it as a new draft" in str(refused.context["adminform"].form.errors["content"])
    renamed = form(text, content="您的验证码是{code}，{minutes}分钟内有效。", variables='{"minutes": "m"}')
    assert "content" in client.post(url("change", "template", text.pk), renamed).context["adminform"].form.errors

    act(client, "copy_as_draft", text)
    copy = Template.objects.exclude(pk=text.pk).get()
    assert client.post(url("change", "template", copy.pk), form(copy, content="改{code}")).status_code == 302


@pytest.mark.any_database
@pytest.mark.parametrize("variables", ["", "null", "[1]", '"x"', "{", '{"code": 1}'])
def test_invalid_variables_are_explained(variables: str, client: Client, topthink: Provider) -> None:
    text = draft(topthink, status="approved", remote_id="234")

    answer = client.post(url("change", "template", text.pk), form(text, variables=variables))

    assert "variables" in answer.context["adminform"].form.errors


def test_placeholders_of_an_approved_text_can_be_renamed(client: Client, topthink: Provider) -> None:
    text = draft(topthink, status="approved", remote_id="235", content="验证码{yzm}，请勿泄露。")

    changed = form(text, content="验证码{code}，请勿泄露。", variables='{"code": "yzm"}')
    assert client.post(url("change", "template", text.pk), changed).status_code == 302

    assert Template.objects.get().carries_code


def test_an_operator_cannot_approve_a_text_that_the_vendor_reviews(client: Client, topthink: Provider) -> None:
    added = client.post(
        url("add"), form(Template(provider=topthink, purpose="x", name="x"), content="a", status="approved")
    )
    assert list(added.context["adminform"].form.errors) == ["status"]

    text = draft(topthink)
    client.post(url("change", "template", text.pk), form(text, status="approved", reason="x"))
    assert state(text) == ("draft", "")


def test_the_operator_sets_the_status_if_the_vendor_cannot_be_asked(client: Client, vendor: MakeProvider) -> None:
    for gateway in ("ihuyi", "apispace"):
        text = draft(vendor(gateway, slug=gateway))
        client.post(url("change", "template", text.pk), form(text, status="approved", reason=""))
        assert state(text) == ("approved", "")
        client.post(url("change", "template", text.pk), form(text, status="rejected", reason="缺公章"))
        assert state(text) == ("rejected", "缺公章")


def test_an_entered_id_is_fetched_from_the_vendor(client: Client, topthink: Provider, sandbox: Sandbox) -> None:
    added = client.post(
        url("add"),
        form(Template(provider=topthink, purpose="x", name="x"), content="x", remote_id="235", status="draft"),
    )

    assert "success: 登录验证: fetched (approved)" in shown_messages(added)
    text = Template.objects.get()
    assert (text.content, text.status) == ("验证码{yzm}，请勿泄露。", "approved")

    wrong = client.post(url("change", "template", text.pk), form(text, remote_id="999"))
    assert any("记录不存在" in words for words in shown_messages(wrong))


def test_texts_at_the_vendor_are_imported_by_their_ids(
    client: Client, topthink: Provider, vendor: MakeProvider
) -> None:
    vendor("apispace")
    page = client.get(url("import", "signature"))
    assert [str(provider) for provider in page.context["form"].fields["provider"].queryset] == ["topthink"]
    assert url("import", "signature") in client.get(url("changelist", "signature")).content.decode()

    imported = client.post(url("import", "signature"), {"provider": topthink.pk, "ids": "78, 79\n7777"})

    assert shown_messages(imported) == [
        "success: 【示例站】: imported (approved)",
        "success: 【待审站】: imported (in review)",
        "error: 7777: the vendor says: 10005 记录不存在 — Correct what it names, and try again. Nothing was changed.",
    ]
    client.post(url("import", "signature"), {"provider": topthink.pk, "ids": "78"})
    assert Signature.objects.filter(provider=topthink).count() == 2
    signature = Signature.objects.get(provider=topthink, remote_id="78")
    words = {"provider": topthink.pk, "ids": "235", "purpose": "login", "signature": signature.pk, "code": "yzm"}
    client.post(url("import"), words)
    text = Template.objects.routable().get(provider=topthink)
    assert (text.content, text.variables) == ("验证码{code}，请勿泄露。", {"code": "yzm"})
    assert text.remark == catalogue.REMARK


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"ids": " ,， "}, "ids"),
        ({"ids": " ".join(map(str, range(101)))}, "ids"),
        ({"ids": "1" * 65}, "ids"),
        ({"ids": "a\0b"}, "ids"),
        ({"provider": "999"}, "provider"),
        ({"purpose": "Not A Slug"}, "purpose"),
        ({"code": "no-name"}, "code"),
        ({"signature": "other"}, "signature"),
    ],
)
def test_an_invalid_import_is_explained(
    fields: dict[str, str], wrong: str, client: Client, topthink: Provider, vendor: MakeProvider
) -> None:
    if fields.get("signature"):
        fields = {"signature": str(vendor("apispace").signatures.get().pk)}

    answer = client.post(url("import"), {"provider": topthink.pk, "ids": "234", "purpose": "login", **fields})

    assert list(answer.context["form"].errors) == [wrong]


@pytest.mark.any_database
@pytest.mark.parametrize("action", ["submit", "resubmit", "fetch", "delete_at_vendor", "copy_as_draft", "make_draft"])
def test_a_user_who_may_only_view_cannot_act(action: str, client: Client, topthink: Provider, sandbox: Sandbox) -> None:
    text = draft(topthink)
    guest = User.objects.create_user("guest", is_staff=True)
    guest.user_permissions.add(Permission.objects.get(codename="view_template"))
    client.force_login(guest)
    calls = len(sandbox.exchanges)

    client.post(url("changelist"), {"action": action, "_selected_action": [text.pk], "confirmed": "yes"})

    assert client.get(url("import")).status_code == 403
    assert Template.objects.count() == 1
    assert state(text) == ("draft", "")
    assert len(sandbox.exchanges) == calls


def test_signatures_of_one_name_are_shown_with_their_provider(client: Client, vendor: MakeProvider) -> None:
    for gateway in ("apispace", "ihuyi"):
        vendor(gateway)

    page = client.get(url("add")).content.decode()

    assert "【示例站】 · apispace</option>" in page
    assert "【示例站】 · ihuyi</option>" in page


@pytest.mark.parametrize("status", ["pending", "approved"])
def test_an_old_page_does_not_delete_the_id_of_a_submission(
    status: str, client: Client, topthink: Provider, sandbox: Sandbox
) -> None:
    """One operator opened a draft, another has submitted it. Without its id it would be submitted twice."""
    text = draft(topthink)
    opened = form(text, purpose="register")
    act(client, "submit", text)
    text.refresh_from_db()
    Template.objects.update(status=status)

    answer = client.post(url("change", "template", text.pk), opened)

    assert answer.status_code == 200
    assert "remote_id" in answer.context["adminform"].errors
    assert Template.objects.get().remote_id == text.remote_id


def test_saving_writes_only_the_changed_fields(
    client: Client, topthink: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text that is submitted between the load and the save of the row does not become a draft again."""
    text = draft(topthink)
    clean = Template.clean

    def meanwhile(self: Template) -> None:
        Template.objects.update(status="pending", remote_id="9", poll_at=timezone.now())
        clean(self)

    monkeypatch.setattr(Template, "clean", meanwhile)
    client.post(url("change", "template", text.pk), form(text, purpose="register"))

    text.refresh_from_db()
    assert (text.purpose, text.status, text.remote_id) == ("register", "pending", "9")
    assert text.poll_at is not None


def test_an_id_shown_with_thousand_separators_can_be_deleted(
    client: Client, topthink: Provider, sandbox: Sandbox, settings: Any
) -> None:
    settings.USE_THOUSAND_SEPARATOR = True
    text = draft(topthink, pk=123456)
    page = client.post(url("changelist"), {"action": "delete_at_vendor", "_selected_action": [text.pk]})
    assert 'value="123456"' in page.content.decode()


def test_another_admin_site_links_only_to_itself(client: Client, topthink: Provider, settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.test_admin_submissions"
    text = draft(topthink)
    notice = add_template(topthink, "news", "您的订单已发货。", "237")
    pages = [
        client.get("/ops/smsverify/template/import/"),
        client.get("/ops/smsverify/message/costs/"),
        client.get("/ops/smsverify/provider/add/"),
        client.get(f"/ops/smsverify/template/{notice.pk}/many/"),
        client.post("/ops/smsverify/template/", {"action": "delete_at_vendor", "_selected_action": [text.pk]}),
    ]
    for page in pages:
        assert "/ops/smsverify/" in page.content.decode()
        assert '"/admin/' not in page.content.decode()
    form = {"provider": topthink.pk, "ids": catalogue.TOPTHINK_CODE.id, "purpose": "login"}
    assert client.post("/ops/smsverify/template/import/", form)["Location"] == "/ops/smsverify/template/"


def test_a_user_who_may_only_add_changes_no_existing_text(
    client: Client, topthink: Provider, django_user_model: type[User]
) -> None:
    text = draft(topthink, remote_id=catalogue.TOPTHINK_CODE.id)
    adder = django_user_model.objects.create_user("adder", is_staff=True)
    adder.user_permissions.add(Permission.objects.get(codename="add_template"))
    client.force_login(adder)
    posted = {"provider": topthink.pk, "purpose": "login", "ids": f"{text.remote_id} {catalogue.TOPTHINK_NOTICE.id}"}

    words = shown_messages(client.post(url("import"), posted))

    assert (text.name, text.status) == ("登录", "draft")
    assert state(text) == ("draft", "")
    assert Template.objects.count() == 2
    assert sum("may not change" in line for line in words) == 1


def test_the_vendor_is_asked_after_the_commit_in_the_database_of_the_texts(
    client: Client, topthink: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A site may store the texts in another database than the default one, which commits nothing then."""
    databases = []
    on_commit = transaction.on_commit

    def recorded(act: Any, using: str | None = None, robust: bool = False) -> None:
        databases.append(using)
        on_commit(act, using, robust)

    text = draft(topthink)
    monkeypatch.setattr(transaction, "on_commit", recorded)
    client.post(url("change", "template", text.pk), form(text, remote_id=catalogue.TOPTHINK_CODE.id))

    assert set(databases) == {router.db_for_write(Template)}
    assert state(text) == ("approved", "")


@pytest.mark.parametrize("model", ["signature", "template"])
def test_existing_texts_are_not_looked_up_in_a_replica(model: str, topthink: Provider) -> None:
    """A replica that lags may not have the text yet, and the text would be imported twice."""
    form = {"signature": ImportForm, "template": ImportTemplateForm}[model](
        {"provider": topthink.pk, "ids": "234", "purpose": "login"}
    )
    assert form.is_valid()
    with override_settings(DATABASE_ROUTERS=["tests.test_submissions.ReplicaIsAway"]):
        assert [text.remote_id for text in form.texts()] == ["234"]


def test_an_id_cannot_be_moved_to_another_provider(client: Client, topthink: Provider, vendor: MakeProvider) -> None:
    other = vendor("topthink", slug="other")
    text = draft(topthink, status="rejected", remote_id="238")

    moved = form(text, provider=other.pk)
    refused = client.post(url("change", "template", text.pk), moved)

    assert list(refused.context["adminform"].form.errors) == ["remote_id"]
    text.refresh_from_db()
    assert text.provider == topthink


def test_a_deletion_during_the_submission_is_reported(
    client: Client, topthink: Provider, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, gateway = draft(topthink), type(topthink.gateway_client())
    parse = gateway.parse_submit

    def delete_first(self: Any, *answer: Any) -> str:
        Template.objects.filter(pk=text.pk).delete()
        return str(parse(self, *answer))

    monkeypatch.setattr(gateway, "parse_submit", delete_first)

    assert act(client, "submit", text) == [
        "warning: 登录 was deleted here meanwhile; the vendor may have it all the same."
    ]
