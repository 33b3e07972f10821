"""The four scenes, tested as a site tests its own: `manage.py test demo`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.test import TestCase
from django.utils import timezone, translation

from demo.models import Order, User
from django_smsverify.testing import SMSTestMixin

PHONE, OTHER, THIRD = "13800138000", "13900139000", "13700137000"
PASSWORD = "long-enough-1"


class SceneTestCase(SMSTestMixin, TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.enterContext(translation.override("en"))
        self.client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"

    def log_in(self, phone: str = PHONE) -> User:
        self.client.post("/login/", {"proof": self.sms.verified(phone)})
        return User.objects.get(pk=self.client.session["_auth_user_id"])

    def paid(self) -> list[str]:
        return [str(order.amount) for order in Order.objects.filter(paid_at__isnull=False)]

    def assert_refused(self, answer: Any, sentence: str) -> None:
        assert answer.status_code == 200
        self.assertContains(answer, sentence)


class LoginTest(SceneTestCase):
    def test_a_code_opens_an_account_and_the_next_one_finds_it(self) -> None:
        asked = {"phone": "138 0013 8000", "purpose": "login"}
        sent = self.client.post("/sms/send/", asked, "application/json").json()
        typed = {"verification_id": sent["verification_id"], "code": self.sms.code}
        verified = self.client.post("/sms/verify/", typed, "application/json").json()

        answer = self.client.post("/login/", {"proof": verified["proof"], "next": "/pay/"})

        self.assertRedirects(answer, "/pay/")
        self.client.post("/logout/")
        assert self.log_in().phone == PHONE
        assert User.objects.count() == 1
        self.assertContains(self.client.get("/account/"), "You are logged in: 138****8000")

    def test_who_is_not_logged_in_is_asked_to(self) -> None:
        for path in ("/account/", "/pay/", "/number/"):
            self.assertRedirects(self.client.get(path), f"/login/?next={path}")
        self.assertRedirects(self.client.get("/"), "/account/", target_status_code=302)

    def test_an_account_without_a_number_is_told_so(self) -> None:
        self.client.force_login(User.objects.create_superuser("admin"))

        for path in ("/login/", "/pay/", "/number/"):
            self.assertRedirects(self.client.get(path), "/account/")
        self.assertContains(self.client.get("/account/"), "This account has no number.")


class ResetTest(SceneTestCase):
    def test_a_new_password_logs_in_now_and_later(self) -> None:
        self.log_in()
        self.client.post("/logout/")

        answer = self.client.post("/reset/", {"proof": self.sms.verified(PHONE, "reset"), "password": PASSWORD})

        self.assertRedirects(answer, "/account/")
        self.client.post("/logout/")
        typed = {"username": "+86 138-0013-8000", "password": PASSWORD}
        self.assertRedirects(self.client.post("/login/password/", typed), "/account/")

    def test_a_bad_password_costs_no_proof(self) -> None:
        self.log_in()
        proof = self.sms.verified(PHONE, "reset")

        self.assert_refused(self.client.post("/reset/", {"proof": proof, "password": "short"}), "too short")
        self.assertRedirects(self.client.post("/reset/", {"proof": proof, "password": PASSWORD}), "/account/")

    def test_who_has_the_number_now_does_not_get_the_account_of_who_had_it(self) -> None:
        long_ago = timezone.now() - timedelta(days=200)
        User.objects.create(username=PHONE, phone=PHONE, date_joined=long_ago)

        with self.settings(SMSVERIFY={"USER_PHONE_FIELD": "phone", "STALE_PHONE_DAYS": 90}):
            answer = self.client.post("/reset/", {"proof": self.sms.verified(PHONE, "reset"), "password": PASSWORD})

        assert answer.status_code == 200
        assert answer.context["form"].has_error("proof", "stale_phone")

    def test_a_closed_account_stays_closed(self) -> None:
        self.log_in()
        User.objects.update(is_active=False)
        self.client.post("/logout/")

        answer = self.client.post("/reset/", {"proof": self.sms.verified(PHONE, "reset"), "password": PASSWORD})

        self.assert_refused(answer, "This account is locked.")
        assert not User.objects.get().has_usable_password()

    def test_a_number_without_an_account(self) -> None:
        answer = self.client.post("/reset/", {"proof": self.sms.verified(PHONE, "reset"), "password": PASSWORD})

        self.assert_refused(answer, "There is no account with this number.")

    def test_another_number_or_password_is_refused(self) -> None:
        user = self.log_in()
        user.set_password(PASSWORD)
        user.save()
        self.client.post("/logout/")

        for username, password in ((OTHER, PASSWORD), ("nobody", PASSWORD), (PHONE, "wrong")):
            typed = {"username": username, "password": password}
            self.assert_refused(self.client.post("/login/password/", typed), "Please enter a correct")


class PayTest(SceneTestCase):
    def pay(self, phone: str = PHONE, **context: Any) -> Any:
        return self.client.post("/pay/", {"phone": self.sms.verified(phone, "pay", context=context or None)})

    def test_a_code_pays_for_its_order_and_amount_once(self) -> None:
        self.log_in()
        page = self.client.get("/pay/")
        self.assertContains(page, f'phone="{PHONE}"')
        order = Order.objects.get()
        context = {"order": order.pk, "amount": "128.00"}
        proof = self.sms.verified(PHONE, "pay", context=context)

        self.assertRedirects(self.client.post("/pay/", {"phone": proof}), "/account/")

        self.assertContains(self.client.get("/account/"), f"Order {order}")
        assert self.client.post("/pay/", {"phone": proof}).status_code == 200
        assert self.paid() == ["128.00"]

    def test_of_several_orders_one_is_paid_after_the_other(self) -> None:
        user = self.log_in()
        for _order in range(2):
            Order.objects.create(user=user)

        for _order in range(2):
            order = Order.objects.filter(paid_at=None).last()
            assert order
            self.assertRedirects(self.pay(order=order.pk, amount="128.00"), "/account/")
        assert self.paid() == ["128.00", "128.00"]

    def test_what_was_sent_for_something_else_pays_nothing(self) -> None:
        self.log_in()
        self.client.get("/pay/")
        order = Order.objects.get()

        for context in ({}, {"order": order.pk, "amount": "1.00"}, {"order": order.pk + 1, "amount": "128.00"}):
            assert self.pay(**context).status_code == 200
        self.assert_refused(self.pay(OTHER, order=order.pk, amount="128.00"), "number of your account, 138****8000")
        assert self.paid() == []


class NumberTest(SceneTestCase):
    def change(self, old: str, new: str) -> Any:
        proofs = {"old": self.sms.verified(old, "number"), "new": self.sms.verified(new, "number")}
        return self.client.post("/number/", proofs)

    def test_the_new_number_opens_the_same_account(self) -> None:
        user = self.log_in()

        self.assertRedirects(self.change(PHONE, OTHER), "/account/")

        self.client.post("/logout/")
        assert self.log_in(OTHER) == user

    def test_the_old_number_opens_an_account_of_its_own(self) -> None:
        user = self.log_in()
        self.change(PHONE, OTHER)
        self.client.post("/logout/")

        newcomer = self.log_in(PHONE)

        assert (newcomer.phone, User.objects.get(pk=user.pk).phone) == (PHONE, OTHER)
        assert newcomer != user

    def test_both_must_be_right(self) -> None:
        self.log_in(THIRD)
        self.client.post("/logout/")
        user = self.log_in()

        self.assert_refused(self.change(OTHER, OTHER), "number of your account, 138****8000")
        self.assert_refused(self.change(PHONE, THIRD), "An account has this number already.")
        assert User.objects.get(pk=user.pk).phone == PHONE

    def test_one_proof_is_not_two(self) -> None:
        self.log_in()
        old = self.sms.verified(PHONE, "number")

        self.assert_refused(self.client.post("/number/", {"old": old, "new": old}), "An account has this number")
        new = self.sms.verified(OTHER, "number")
        self.assertRedirects(self.client.post("/number/", {"old": old, "new": new}), "/account/")
