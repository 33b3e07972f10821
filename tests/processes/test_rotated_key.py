"""While SECRET_KEY is rotated, some processes of a site have the new key and others still the old one."""

from __future__ import annotations

import itertools
import os
from itertools import islice

import pytest
from sandbox.server import Sandbox

from tests.conftest import code_in

from .acts import create_provider, pages_by_sms, send, verify_each
from .crew import WorkerPool, count_codes
from .test_processes import VENDOR
from .worker import PROCESSES, Settings

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SENDS = 12
"""Requests at the same time for one number, from all processes."""
OLD, NEW = "the-old-key-of-these-tests-alone", "the-new-key-of-these-tests-alone"
PHONES = (f"139{block:04}8000" for block in itertools.count())
AFTER = range(1, PROCESSES, 2)
"""The processes that have the new key."""
LIMITS = {"RESEND_INTERVAL": 0, "PHONE_LIMITS": (), "GUESS_LIMIT": "999/d"}

pytestmark = pytest.mark.timeout(120 + 5 * ROUNDS)


def before_and_after(site_settings: Settings, is_prepared: bool) -> tuple[Settings, Settings]:
    """The settings of the processes before and after a deploy, which was prepared if they know the new key before."""
    common = {**site_settings, "SMSVERIFY": LIMITS}
    before = {**common, "SECRET_KEY": OLD, "SECRET_KEY_FALLBACKS": [NEW] if is_prepared else []}
    return before, {**common, "SECRET_KEY": NEW, "SECRET_KEY_FALLBACKS": [OLD]}


@pytest.mark.parametrize("is_prepared", [True, False], ids=["prepared", "at once"])
def test_joins_while_the_key_is_rotated_get_an_sms_that_fits_their_page(
    is_prepared: bool, site_settings: Settings, sandbox: Sandbox
) -> None:
    """Processes that know both keys have one code for all; those that know only the old one may have their own."""
    with WorkerPool(*before_and_after(site_settings, is_prepared)) as pool:
        pool.call(create_provider, VENDOR, sandbox.base_urls[VENDOR], f"prepared-{is_prepared}".lower())
        for phone in islice(PHONES, ROUNDS):
            outcomes = count_codes(pool.run_at_once(send, [(phone,)] * SENDS))
            assert outcomes == {"done": SENDS}
            by_sms = {sms.remote_id: code_in(sms.text) for sms in sandbox.inbox.of(phone)}
            pages = pool.call(pages_by_sms, phone)
            codes = {page: by_sms.pop(remote_id) for remote_id, page, _ in pages}
            holders = {holder for _, _, holder in pages}
            assert (len(codes), by_sms) == (SENDS, {})
            assert len(holders) <= (1 if is_prepared else 2)
            for process in range(PROCESSES) if is_prepared else AFTER:
                pool.call(verify_each, codes, process=process)
