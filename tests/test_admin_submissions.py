"""Signatures and templates in the admin, as an operator submits, imports and deletes them at the sandbox vendors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.contrib.messages import get_messages
from django.db import connection, router, transaction
from django.test import Client, override_settings
from django.urls import path, reverse
from django.utils import timezone, translation
from sandbox import catalogue
from sandbox.server import Fault, Sandbox

from django_smsverify.admin.next_steps import BUTTONS
from django_smsverify.admin.submission_forms import ImportForm, ImportTemplateForm
from django_smsverify.models import Provider, Signature, Template
from django_smsverify.reviews.next_step import next_step

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

    assert act(client, "submit", text) == ["success: 登录: submitted; the vendor reviews it now"]
    text.refresh_from_db()
    sandbox.judge("topthink", "template", text.remote_id, False, "缺公章")
    assert act(client, "fetch", text) == ["success: 登录: fetched (rejected)"]
    assert state(text) == ("rejected", "缺公章")

    changed = form(text, content="动态码{code}，请勿转发。")
    client.post(url("change", "template", text.pk), changed)
    client.get(url("changelist"))
    assert act(client, "resubmit", text) == ["success: 登录: submitted again; the vendor reviews it now"]
    assert sandbox.submitted("topthink", "template")[-1][1] == "动态码${code}，请勿转发。"

    assert act(client, "delete_at_vendor", text) == []
    assert state(text)[0] == "pending", "nothing happens before it is confirmed"
    assert act(client, "delete_at_vendor", text, confirmed="yes") == [
        "success: 登录: deleted at the vendor; it is a draft here"
    ]
    assert state(text) == ("draft", "")


def test_each_of_several_texts_has_its_own_message(client: Client, topthink: Provider, sandbox: Sandbox) -> None:
    good, bad = draft(topthink), draft(topthink, name="坏", status="approved", remote_id="234")

    words = act(client, "submit", good, bad)

    assert sorted(words) == [
        "error: 坏: It is approved, and the vendor lets nobody change that: copy it as a new draft and file that.",
        "success: 登录: submitted; the vendor reviews it now",
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


def test_what_we_refuse_ourselves_is_told_as_ours_in_the_active_language(client: Client, topthink: Provider) -> None:
    text = draft(topthink, remark="")
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "zh-hans"

    (message,) = act(client, "submit", text)

    with translation.override("zh-hans"):
        ours = translation.gettext("this vendor wants a remark: what the text is used for, with the site's address")
        theirs = translation.gettext("the vendor says: %s") % ""
    assert ours in message
    assert theirs not in message


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

    assert act(client, "make_draft", text) == ["success: 登录: a draft again"]


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
    assert imported.context["form"]["ids"].value() == "78, 79\n7777", "what failed is tried again without typing it"
    again = client.post(url("import", "signature"), {"provider": topthink.pk, "ids": "78"})
    assert again["Location"] == url("changelist", "signature")
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


def offered(page: str) -> list[str]:
    return re.findall(r"<option[^>]*>(【.*?)</option>", page)


def test_only_the_signatures_of_the_templates_provider_are_offered(client: Client, vendor: MakeProvider) -> None:
    one, other = vendor("apispace"), vendor("ihuyi")
    text = draft(one)

    assert offered(client.get(url("change", "template", text.pk)).content.decode()) == ["【示例站】 · apispace"]
    assert offered(client.get(url("add"), {"provider": other.pk}).content.decode()) == ["【示例站】 · ihuyi"]
    assert len(offered(client.get(url("add"), {"provider": "x"}).content.decode())) == 2

    moved = form(text, provider=other.pk, signature=str(one.signatures.get().pk))
    answer = client.post(url("change", "template", text.pk), moved, headers={"accept-language": "en"})
    assert answer.context["adminform"].form.errors["signature"] == [
        "This signature belongs to another provider: choose one of ihuyi."
    ]
    assert offered(answer.content.decode()) == ["【示例站】 · ihuyi"], "those of the provider that was chosen"


def test_the_page_of_a_text_says_what_is_next_until_it_is_approved(
    client: Client, topthink: Provider, sandbox: Sandbox
) -> None:
    """By the buttons of the page alone."""
    html = client.get(url("add"), {"provider": topthink.pk}, headers={"accept-language": "en"}).content.decode()
    assert 'name="reason"' not in html
    assert "Leave “draft”, unless the vendor has decided already" in html
    assert "For the reviewer: what the text is used for" in html

    new = form(Template(provider=topthink, purpose="login", name="登录", content=CODE_TEXT, remark=REMARK))
    answer = client.post(url("add"), {**new, "status": "draft"})
    text = Template.objects.get()
    here = url("change", "template", text.pk)
    assert answer.headers["Location"] == here, "not the list, where nothing says how it goes on"

    assert steps(client, here) == ("It is a draft here, and", ["submit"])
    assert press(client, text, "submit") == here
    assert steps(client, here) == ("TopThink 顶想云 reviews it and decides.", ["fetch"])
    text.refresh_from_db()
    sandbox.judge("topthink", "template", text.remote_id, False, "缺公章")
    press(client, text, "fetch")
    assert steps(client, here) == ("TopThink 顶想云 has rejected it;", ["resubmit"])
    press(client, text, "resubmit")
    sandbox.judge("topthink", "template", text.remote_id, True, "")
    press(client, text, "fetch")
    assert steps(client, here) == ("It is approved: codes for login", [])


def steps(client: Client, address: str) -> tuple[str, list[str]]:
    """The beginning of what the page says is next, and its buttons."""
    answer = client.get(address, headers={"accept-language": "en"})
    html = answer.content.decode()
    html = html[html.index('class="smsverify-panel"') :]
    html = html[: html.index("</section>")]
    words = re.findall(r"<p>(.*?)</p>", html, re.DOTALL)[0]
    buttons = re.findall(r'action="[^"]*/(\w+)/"', html)
    return next((start for start in STARTS if words.startswith(start)), words), buttons


STARTS = (
    "It is a draft here, and",
    "TopThink 顶想云 reviews it and decides.",
    "TopThink 顶想云 has rejected it;",
    "It is approved: codes for login",
)


def press(client: Client, text: Template | Signature, name: str) -> str:
    return str(client.post(url(name, str(text._meta.model_name), text.pk)).headers["Location"])


def test_nobody_presses_what_he_may_not(client: Client, topthink: Provider, sandbox: Sandbox) -> None:
    text, calls = draft(topthink), len(sandbox.exchanges)
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_template"))
    client.force_login(user)

    assert steps(client, url("change", "template", text.pk))[1] == []
    assert [client.post(url(name, "template", text.pk)).status_code for name in BUTTONS] == [403] * len(BUTTONS)
    assert client.get(url("submit", "template", text.pk)).status_code == 405
    assert len(sandbox.exchanges) == calls


@pytest.mark.parametrize(
    ("gateway", "status", "remote_id", "words"),
    [
        ("console", "draft", "", "This gateway is for development"),
        ("tencent", "draft", "", "and enter the id that it gets there"),
        ("apispace", "draft", "", "which tells this site nothing"),
        ("twilio", "draft", "", "Twilio reviews no texts: when this is as it should be"),
        ("apispace", "pending", "9", "Set “review” to what its console says."),
        ("apispace", "rejected", "9", "Change it here and in its console"),
        ("topthink", "draft", "9", "fetch its state, or clear the id"),
        ("topthink", "pending", "", "It was submitted, and the vendor's answer was lost."),
        ("topthink", "approved", "9", "templates of this provider can be sent with it"),
        ("ihuyi", "pending", "9", "calls the webhook with the verdict"),
    ],
)
def test_who_decides_is_told_for_each_kind_of_vendor(
    gateway: str, status: str, remote_id: str, words: str, vendor: MakeProvider
) -> None:
    provider = Provider.objects.create(name="x", slug="x", gateway=gateway)
    text: Signature | Template = Signature(provider=provider, text="示例站", status=status, remote_id=remote_id)
    if gateway == "ihuyi":
        text = Template(provider=provider, status=status, remote_id=remote_id)
    text.save()
    with translation.override("en"):
        assert words in next_step(text).words


@pytest.mark.parametrize("model", ["signature", "template"])
def test_the_form_of_a_vendor_that_reviews_nothing_says_so(
    model: str, vendor: MakeProvider, admin_client: Client
) -> None:
    page = reverse(f"admin:smsverify_{model}_add")
    for gateway, is_reviewed in (("twilio", False), ("topthink", True)):
        provider = vendor(gateway)
        Template.objects.all().delete()
        Signature.objects.all().delete()
        html = admin_client.get(page, {"provider": provider.pk}).content.decode()
        assert ("Twilio reviews no texts" in html) is not is_reviewed
        assert ("Leave “draft”" in html) is is_reviewed
        if model == "template":
            assert ("sends without one, too" in html) is not is_reviewed


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


class TestWhatLacks:
    """What a draft needs before it can be submitted is told on its page, and no button leads into a refusal."""

    @pytest.fixture
    def aliyun(self, vendor: MakeProvider) -> Provider:
        provider = vendor("aliyun")
        Template.objects.all().delete()
        Signature.objects.all().delete()
        return provider

    def panel(self, client: Client, text: Template | Signature) -> str:
        address = url("change", str(text._meta.model_name), text.pk)
        html = client.get(address, headers={"accept-language": "en"}).content.decode()
        html = html[html.index('class="smsverify-panel"') :]
        return html[: html.index("</section>")]

    def test_an_option_of_the_provider(self, client: Client, aliyun: Provider, sandbox: Sandbox) -> None:
        text, calls = Signature.objects.create(provider=aliyun, text="云上书店"), len(sandbox.exchanges)
        panel = self.panel(client, text)
        assert "Enter the option Qualification ID" in panel
        assert f'href="{url("change", "provider", aliyun.pk)}#id_option_qualification_id"' in panel
        assert "lists it under 资质管理" in panel
        assert url("submit", "signature", text.pk) not in panel
        assert act(client, "submit", text) == [
            "error: 【云上书店】: enter the option Qualification ID (资质ID), or submit it in the console — "
            "The vendor was not asked, and nothing was changed."
        ]
        assert len(sandbox.exchanges) == calls
        aliyun.options["qualification_id"] = "123"
        aliyun.save()
        panel = self.panel(client, text)
        assert url("submit", "signature", text.pk) in panel
        assert "Before it can be submitted" not in panel

    def test_the_credentials(self, client: Client, topthink: Provider) -> None:
        text = draft(topthink)
        topthink.credentials = {}
        topthink.save()
        panel = self.panel(client, text)
        (credential,) = topthink.gateway_client().credentials
        assert f"The provider has no “{credential.label}”" in panel
        assert f"#id_credential_{credential.name}" in panel

    def test_the_signature_of_a_template(self, client: Client, aliyun: Provider) -> None:
        text = draft(aliyun)
        assert "This vendor reviews a template together with a signature: choose one" in self.panel(client, text)
        page = client.get(url("add"), headers={"accept-language": "en"}).content.decode()
        assert "Needed at: Aliyun" in page
        page = client.get(url("add"), {"provider": aliyun.pk}, headers={"accept-language": "en"}).content.decode()
        assert "Aliyun 阿里云 needs one." in page

    def test_what_the_vendor_would_refuse(self, client: Client, topthink: Provider) -> None:
        assert "The vendor would refuse this: " in self.panel(client, draft(topthink, content="【示例站】{code}"))

    def test_keys_that_are_lost(self, client: Client, topthink: Provider) -> None:
        text = draft(topthink)
        with override_settings(SMSVERIFY={"ENCRYPTION_KEYS": ["lost"]}):
            assert "Before it can be submitted" in self.panel(client, text)

    def test_a_rejected_text(self, client: Client, topthink: Provider) -> None:
        text = draft(topthink, status="rejected", remote_id="9", remark="")
        panel = self.panel(client, text)
        assert "This vendor wants a remark" in panel
        assert url("resubmit", "template", text.pk) not in panel
        text.remark = REMARK
        text.save()
        assert url("resubmit", "template", text.pk) in self.panel(client, text)

    def test_who_may_not_see_providers_gets_no_link(self, client: Client, aliyun: Provider) -> None:
        text = Signature.objects.create(provider=aliyun, text="云上书店")
        user = User.objects.create_user("editor", is_staff=True)
        user.user_permissions.add(Permission.objects.get(codename="change_signature"))
        client.force_login(user)
        panel = self.panel(client, text)
        assert "Enter the option Qualification ID" in panel
        assert "#id_option" not in panel


def test_templates_of_one_purpose_name_each_other(client: Client, topthink: Provider) -> None:
    """Chance decides between them, which nobody would guess who sees that each can be sent."""
    one = draft(topthink, name="旧", status="approved", remote_id="1")
    two = draft(topthink, name="新", status="approved", remote_id="2")
    draft(topthink, name="别", purpose="register", status="approved", remote_id="3")
    with translation.override("en"):
        assert next_step(one).words.endswith(
            "“新” (2) can be used, too, and chance decides for each code: switch off what is not to be used."
        )
        Template.objects.filter(pk=two.pk).update(is_active=False)
        assert next_step(one).words == "It is approved: codes for login can go out with it."


def test_a_locked_text_is_told_of_placeholders_only_if_it_has_some(client: Client, vendor: MakeProvider) -> None:
    provider = vendor("topthink")
    signature, text = Signature.objects.get(), Template.objects.filter(provider=provider).first()
    assert text is not None
    changed = {"provider": provider.pk, "text": "别的名", "remote_id": signature.remote_id, **NO_FILINGS}
    for language, label in (("en", "variables"), ("zh-hans", "变量名")):
        headers = {"accept-language": language}
        answer = client.post(url("change", "signature", signature.pk), changed, headers=headers)
        (error,) = answer.context["adminform"].form.errors["text"]
        assert label not in error
        answer = client.post(url("change", "template", text.pk), form(text, content="改{code}"), headers=headers)
        assert "variables" in answer.context["adminform"].form.fields
        assert len(answer.context["adminform"].form.errors["content"]) == 1
        if language == "en":
            assert f"“{label}”" in answer.context["adminform"].form.errors["content"][0]


@pytest.mark.parametrize(("entered", "stored"), [("【云上书店】", "云上书店"), (" 【 云上书店 】", "云上书店")])
def test_a_name_may_be_pasted_with_its_brackets(entered: str, stored: str, client: Client, topthink: Provider) -> None:
    added = {"provider": topthink.pk, "text": entered, "status": "draft", "remark": REMARK, **NO_FILINGS}
    assert client.post(url("add", "signature"), added).status_code == 302
    assert Signature.objects.get().text == stored


@pytest.mark.any_database
def test_brackets_inside_a_name_are_one_error(client: Client, topthink: Provider) -> None:
    added = {"provider": topthink.pk, "text": "云上【书店】", "status": "draft", "remark": REMARK, **NO_FILINGS}
    errors = client.post(url("add", "signature"), added).context["adminform"].form.errors["text"]
    assert len([one for one in errors if "brackets" in one or "括号" in one]) == 1


@pytest.mark.any_database
def test_a_template_says_how_many_sms_it_is_billed_as(client: Client, topthink: Provider) -> None:
    signature = Signature.objects.create(provider=topthink, text="示例站")
    text = draft(topthink, signature=signature, content="验证码{code}，{minutes}分钟内有效。" + "请" * 50)
    for code_length, told in ((4, "1 SMS: 70 characters"), (5, "2 SMS: 71 characters")):
        with override_settings(SMSVERIFY={"CODE_LENGTH": code_length}):
            html = client.get(url("change", "template", text.pk), headers={"accept-language": "en"}).content.decode()
        assert f"{told} with the signature and the longest values" in html
    notice = draft(topthink, purpose="news", content="{name}，您好。")
    html = client.get(url("change", "template", notice.pk), headers={"accept-language": "en"}).content.decode()
    assert "at least 1 SMS: 4 characters with the signature, and the values of {name}" in html


@pytest.mark.any_database
def test_the_fields_of_a_draft_speak_of_a_draft(client: Client, topthink: Provider) -> None:
    text = draft(topthink)
    headers = {"accept-language": "en"}
    for address in (url("add"), url("change", "template", text.pk)):
        html = client.get(address, headers=headers).content.decode()
        assert "The text as it shall be reviewed" in html
        assert "The approved text" not in html
        assert 'such as {"code": "1", "minutes": "2"}' in html
    Provider.objects.update(name="<b>x</b>")
    assert "<b>x</b>" not in client.get(url("change", "template", text.pk)).content.decode(), "Django trusts help texts"
    Template.objects.update(status="approved", remote_id="9")
    assert "The approved text" in client.get(url("change", "template", text.pk), headers=headers).content.decode()
