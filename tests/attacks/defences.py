"""The defence against each attack, as a change of the package that takes it out."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

PACKAGE = "django_smsverify"
UNSIGNED = "signing.JSONSerializer().loads(signing.b64_decode({}.partition(':')[0].encode()))"
"""Reads a signed text without a look at its signature."""


class Mutation(NamedTuple):
    """A change of one file."""

    file: str
    """Within the package."""
    old: str
    """Occurs once in the file."""
    new: str
    crashes: bool = False
    """Whether the site fails with a server error where the defence is missing."""

    def apply(self, root: Path) -> None:
        """Changes the package below `root`; raises ValueError unless the old text is found once."""
        path = root / PACKAGE / self.file
        path.write_text(self.applied_to(path.read_text("utf-8")), "utf-8")

    def applied_to(self, source: str) -> str:
        """Returns the changed text of the file; raises ValueError unless the old text is found once."""
        if (found := source.count(self.old)) != 1:
            raise ValueError(f"{self.file} has the text {found} times, and not once:\n{self.old}")
        return source.replace(self.old, self.new)


ALLOWANCE = "history.require_allowance(by_stranger=requester.is_stranger, can_be_asked=requester.can_be_asked)"

BOMBING = {
    "many_addresses": Mutation(
        "limits/per_number.py",
        "        waits += [(_wait(sent, limit, self.now), Scope.PHONE) for limit in conf.PHONE_LIMITS]\n",
        "",
    ),
    "one_number_at_once": Mutation(
        "sending/single.py",
        "    def work() -> T | CaptchaRequired | Throttled:\n"
        "        recipient = Recipient.objects.lock(phone)\n"
        "        history = NumberHistory.read(phone, timezone.now())\n",
        "    history = NumberHistory.read(phone, timezone.now())\n\n"
        "    def work() -> T | CaptchaRequired | Throttled:\n"
        "        recipient = Recipient.objects.lock(phone)\n",
    ),
    "within_the_pause": Mutation(
        "limits/per_number.py",
        "waits = [(_wait(sent, Limit(1, conf.RESEND_INTERVAL), self.now) if pauses else 0, Scope.RESEND)]",
        "waits = [(0, Scope.RESEND)]",
    ),
    "many_spellings": Mutation(
        "phones.py",
        'return E164(f"+86{match[1]}")',
        "return E164(f\"+86{match[0][: match[0].startswith('0')]}{match[1]}\")",
    ),
    "resends": Mutation(
        "sending/single.py",
        f"            {ALLOWANCE}\n",
        f'            if getattr(create, "func", None) is not _create_resend:\n                {ALLOWANCE}\n',
    ),
    "two_purposes_and_two_providers": Mutation(
        "limits/per_number.py",
        "charged = [sms for sms in self.sms if sms.id != but]",
        "charged = [sms for sms in self.sms if sms.provider_id == self.sms[-1].provider_id]",
    ),
    "a_flushed_cache": Mutation(
        "sending/single.py",
        f"            {ALLOWANCE}\n",
        "            from django.core.cache import cache\n\n"
        "            if cache.get(phone, 0) >= 5:\n"
        f"                {ALLOWANCE}\n"
        "            cache.set(phone, cache.get(phone, 0) + 1)\n",
    ),
    "forged_forwarded_for": Mutation(
        "http/client_address.py",
        "written = _address(entries[-place]) if hops > 0 and place <= len(entries) else None",
        "written = _address(entries[0]) if entries else None",
    ),
    "hopping_in_ipv6": Mutation(
        "limits/shared.py", "NETWORKS = ((64, 1), (56, 10), (48, 100))", "NETWORKS = ((64, 1),)"
    ),
    "a_form_of_another_site": Mutation(
        "views.py",
        "return next((parser for parser in parsers if parser.media_type == sent), None)",
        "return parsers[0]",
    ),
    "locking_the_owner_out": Mutation(
        "numbers/known.py", "return self.is_known and not self.is_trusted", "return False"
    ),
}
PUMPING = {
    "one_block_slowly": Mutation("limits/guard/rules.py", "return room(kind, figures) <= 0", "return False"),
    "one_block_fast": Mutation(
        "limits/shared.py",
        "[] if standing.is_known else _windows(Scope.PREFIX, phones.block(phone), conf.PREFIX_LIMITS, standing)",
        "[]",
    ),
    "three_hundred_blocks": Mutation(
        "limits/guard/rules.py",
        "left_by_count = _allowed(figures) - (figures.sent - figures.verified)",
        "left_by_count = _allowed(figures)",
    ),
    "one_network": Mutation(
        "limits/guard/watching.py",
        "network = [(Guarded.NETWORK, network_of(ip))] if ip is not None else []",
        "network: list[Subject] = []",
    ),
    "racing_the_budget": Mutation(
        "limits/budget.py",
        "if why := _why_not(first.provider, found, rows, sum(amounts, Decimal(0))):",
        'if why := "":',
    ),
    "expensive_regions": Mutation(
        "phones.py", "phonenumbers.region_code_for_number(number) not in conf.REGIONS", "False"
    ),
    "virtual_operators": Mutation("limits/lists.py", '"virtual" if is_virtual(phone) else ', ""),
    "the_guard_as_a_weapon": Mutation(
        "limits/guard/rules.py",
        "by_networks = NETWORKS - figures.networks if kind == Guarded.BLOCK else 0",
        "by_networks = 0",
    ),
    "shutting_people_out": Mutation(
        "limits/guard/watching.py",
        "return not (standing.is_known or standing.is_free)",
        "return not standing.is_free",
    ),
}
EVADING = {
    "a_replayed_proof_of_work": Mutation(
        "challenges/altcha.py", "return bool(challenge) and _use(challenge)", "return bool(challenge)"
    ),
    "a_replayed_image": Mutation("challenges/image.py", "rows.delete()[0] == 1 and ", ""),
    "a_replayed_ticket": Mutation(
        "limits/shared.py",
        "return [Window(Scope.TICKET, ticket, 1, TICKET_LIFETIME)] if ticket else []",
        "return []",
    ),
    "a_ticket_at_once": Mutation(
        "challenges/tickets.py", "USABLE_AFTER <= age <= TICKET_LIFETIME", "age <= TICKET_LIFETIME"
    ),
    "hoarded_tickets": Mutation(
        "challenges/tickets.py", "USABLE_AFTER <= age <= TICKET_LIFETIME", "USABLE_AFTER <= age"
    ),
    "a_ticket_for_another_network": Mutation(
        "challenges/tickets.py", 'salt=f"{SALT}:{network_of(client_ip(request))}"', "salt=SALT"
    ),
    "a_forged_ticket": Mutation(
        "challenges/tickets.py",
        "content = _signer(request).unsign_object(ticket)",
        f"content = {UNSIGNED.format('ticket')}",
    ),
    "another_apps_signature": Mutation(
        "challenges/client_keys.py",
        "list(key.valid_secrets(timezone.now()))",
        "[one for other in ClientKey.objects.all() for one in other.valid_secrets(timezone.now())]",
    ),
    "a_withdrawn_key": Mutation("challenges/client_keys.py", "key_id=signed.key, is_active=True", "key_id=signed.key"),
    "a_replayed_app_request": Mutation(
        "challenges/client_keys.py",
        "_is_genuine(request, signed) and _is_new(signed)",
        "_is_genuine(request, signed)",
    ),
    "a_changed_app_request": Mutation(
        "challenges/client_keys.py",
        "hmac.compare_digest(one, signed.signature) for one in expected",
        "len(one) == len(signed.signature) for one in expected",
    ),
    "an_old_app_request": Mutation(
        "challenges/client_keys.py",
        "if found is None or abs(time.time() - int(found[2])) > WINDOW:",
        "if found is None:",
    ),
}
GUESSING = {
    "brute_force": Mutation("models/records.py", "if self.attempts >= self.max_attempts:", "if False:"),
    "many_verifications": Mutation(
        "limits/per_number.py",
        "return int(max(1, min(conf.of(purpose).MAX_ATTEMPTS, self.guesses_left(by_stranger=by_stranger))))",
        "return int(conf.of(purpose).MAX_ATTEMPTS)",
    ),
    "guesses_at_once": Mutation(
        "models/statements.py",
        'return rows.filter(pk=pk, attempts=attempts), {"attempts": attempts + 1',
        'return rows.filter(pk=pk), {"attempts": attempts + 1',
    ),
    "one_code_twice_at_once": Mutation(
        "models/statements.py",
        "seen, changes = _guessed_while_live(rows, pk, attempts, now)",
        'seen, changes = rows.filter(pk=pk), {"attempts": attempts + 1, "attempted_at": now}',
    ),
    "joining_for_more_guesses": Mutation(
        "verifying/guess.py",
        "return left if verification.is_reserved else min(left, _require_guess(verification, now))",
        "return left",
    ),
    "locking_the_owner_out_by_guesses": Mutation(
        "limits/per_number.py", "return int(max(1, min(", "return int(max(0, min("
    ),
    "replacing_the_owners_code": Mutation(
        "sending/joining.py",
        "return newest if newest and _last_end(newest, now) - now >= least_life(purpose) else None",
        "return None",
    ),
    "another_context": Mutation(
        "verifying/guess.py", "fits = has_context(verification.holder, context)", "fits = True"
    ),
    "a_replayed_proof": Mutation(
        "verifying/proofs.py", "pk=verification.pk, redeemed_at__isnull=True", "pk=verification.pk"
    ),
    "a_proof_for_another_purpose": Mutation("verifying/proofs.py", "verification.purpose != purpose or ", ""),
    "an_old_proof": Mutation("verifying/proofs.py", ", max_age=conf.PROOF_LIFETIME", ""),
    "a_forged_proof": Mutation(
        "verifying/proofs.py",
        "signing.loads(proof, salt=PROOF_SALT, max_age=conf.PROOF_LIFETIME)",
        UNSIGNED.format("proof"),
    ),
    "a_device_token_of_another_number": Mutation(
        "numbers/devices.py",
        "return number in KnownNumber.digests_of(phone) and made_at > first",
        "return made_at > first",
    ),
    "a_revoked_device_token": Mutation("numbers/devices.py", "max(filter(None, (since, known.devices_from)))", "since"),
    "a_forged_device_token": Mutation(
        "numbers/devices.py",
        "content = signing.Signer(salt=SALT).unsign_object(token)",
        f"content = {UNSIGNED.format('token')}",
    ),
    "guessing_for_months": Mutation("limits/per_number.py", "if self.is_locked:", "if False:"),
    "guessing_a_test_number": Mutation("sending/simulated.py", '"is_reserved": False', '"is_reserved": True'),
}
CALLBACKS = {
    "a_wrong_secret": Mutation("webhooks.py", "return found if any(fits) else None", "return found"),
    "trying_secrets": Mutation("webhooks.py", '        check_flood("webhook", client_ip(request))\n', ""),
    "reports_that_have_us_send_again": Mutation(
        "sending/second_route.py", "if is_overtaken(verification, first) or _has_followed(verification):", "if False:"
    ),
    "a_replayed_report": Mutation(
        "reports/rows.py",
        "words = event.remote_id, event.phone, event.outcome, event.code",
        "words = event.remote_id, event.phone, event.outcome, event.code, str(event.occurred_at)",
    ),
    "a_replayed_reply": Mutation(
        "reports/storing.py",
        'when = event.occurred_at.isoformat() if event.occurred_at else ""',
        'when = __import__("uuid").uuid4().hex',
    ),
    "a_report_on_another_accounts_sms": Mutation(
        "reports/single.py",
        "if one.provider_id == provider.pk and _is_about(report, one)]",
        "if _is_about(report, one)]",
    ),
    "a_report_without_the_vendors_signature": Mutation(
        "gateways/twilio/signatures.py", "if not any(fits):", "if not fits:"
    ),
    "a_forged_verdict": Mutation(
        "reviews/verdicts.py", "if event.submission not in gateway.answers_review:", "if True:"
    ),
    "a_huge_body": Mutation("webhooks.py", "MAX_PUSH_BODY = 256 * 1024", "MAX_PUSH_BODY = 256 * 1024**2"),
    "a_broken_body": Mutation(
        "webhooks.py", "except (SuspiciousOperation, BodyError) as error:", "except BodyError as error:", crashes=True
    ),
}
PROBING = {
    "is_it_known": Mutation(
        "views.py",
        '"code_length": verification.code_length,\n',
        '"code_length": verification.code_length,\n        "is_known": verification.by_stranger,\n',
    ),
    "is_it_listed": Mutation(
        "limits/lists.py", "return period - int(time.time() + offset) % period", "return period - offset % period"
    ),
    "has_it_opted_out": Mutation(
        "limits/lists.py",
        "    entry = find_entry(phone, ip)\n",
        "    from django_smsverify.numbers.opt_outs import opted_out\n\n"
        "    if opted_out([phone]):\n"
        "        raise PhoneNotSupported\n"
        "    entry = find_entry(phone, ip)\n",
    ),
    "is_it_a_test_number": Mutation(
        "views.py",
        "return MessageStatus.ACCEPTED if verification.is_simulated else MessageStatus.QUEUED",
        "return MessageStatus.QUEUED",
    ),
    "random_ids": Mutation("views.py", '        check_flood("status", client_ip(request._request))\n', ""),
    "watching_a_number": Mutation(
        "views.py",
        'Message.objects.carrying(verification.holder).order_by("-created_at", "-attempt").first()',
        'Message.objects.filter(phone=verification.phone).order_by("-created_at", "-attempt").first()',
    ),
}
STRICT_TEXT = Mutation(
    "serializers.py", '            self.fail("invalid")\n', "            return super().to_internal_value(str(data))\n"
)
INPUT = {
    "strange_characters": Mutation(
        "serializers.py", "if not (code.isascii() and code.isdigit() and 4 <= len(code) <= 8):", "if False:"
    ),
    "wrong_types": STRICT_TEXT,
    "bodies_that_are_no_objects": Mutation(
        "serializers.py", "if not isinstance(data, Mapping):", "if False:", crashes=True
    ),
    "huge_bodies": Mutation("http/json_body.py", "MAX_JSON_BODY = 16 * 1024", "MAX_JSON_BODY = 16 * 1024**2"),
    "deep_json": Mutation(
        "http/json_body.py", "except (ValueError, RecursionError):", "except ValueError:", crashes=True
    ),
    "smuggled_fields": Mutation("serializers.py", "return conf.CAPTCHA is not None or ", "return True or "),
    "a_code_as_a_number": STRICT_TEXT,
}
OUTAGES = {
    "without_a_cache": Mutation("conf.py", 'ON_CACHE_FAILURE = Key("refuse"', 'ON_CACHE_FAILURE = Key("degrade"'),
    "one_number_without_a_cache": Mutation(
        "sending/single.py",
        f"            {ALLOWANCE}\n",
        "            from contextlib import suppress\n\n"
        "            from django.core.cache import cache\n\n"
        "            with suppress(ConnectionError):\n"
        "                cache.get(phone)\n"
        f"                {ALLOWANCE}\n",
    ),
    "many_numbers_without_a_cache": Mutation(
        "limits/admission.py", "return by_rows.waits(phone, ip, standing)", "return {}"
    ),
    "a_replayed_ticket_without_a_cache": Mutation(
        "limits/admission.py", "raise CaptchaRequired  # nobody knows whether it was used before", "pass"
    ),
}
BY_KIND = {
    "bombing": BOMBING,
    "pumping": PUMPING,
    "evading": EVADING,
    "guessing": GUESSING,
    "callbacks": CALLBACKS,
    "probing": PROBING,
    "input": INPUT,
    "outages": OUTAGES,
}
DEFENCES = {f"{kind}.{name}": mutation for kind, rows in BY_KIND.items() for name, mutation in rows.items()}
"""By the names of the attacks."""
