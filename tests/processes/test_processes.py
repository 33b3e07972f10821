"""Laws 5 and 6 with several processes and database servers: parallel requests have the result of sequential ones."""

from __future__ import annotations

import itertools
import os
import random
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from uuid import UUID

import pytest
from sandbox.server import Sandbox

from tests.conftest import Site, code_in, refusal, wrong

from .acts import (
    attempts_and_verified,
    attempts_of_number,
    create_provider,
    end_pause,
    join,
    post_with_key,
    root_of,
    rows,
    send,
    send_or_verify,
    serve,
    set_budget,
    spent_and_sent,
    verify,
)
from .crew import WorkerPool, count_codes
from .redis import Redis
from .worker import PROCESSES, Settings

ROUNDS = int(os.environ.get("ROUNDS", "5"))
MAX_ATTEMPTS = 5
GUESSES = 15
"""Of a number in a day; without an SMS none is added."""
VENDOR = "topthink"
PHONES = (f"138{block:04}8000" for block in itertools.count())
"""Each in another number block, so that only the limits of a number are reached."""

pytestmark = pytest.mark.timeout(120 + 5 * ROUNDS)


@pytest.fixture(scope="module")
def worker_pool(site_settings: Settings, sandbox_server: Sandbox) -> Iterator[WorkerPool]:
    with WorkerPool(site_settings) as worker_pool:
        worker_pool.call(create_provider, VENDOR, sandbox_server.base_urls[VENDOR])
        yield worker_pool


def send_new(worker_pool: WorkerPool, sandbox: Sandbox) -> tuple[UUID, str]:
    """Sends a code to a new number; returns the verification and the code that the phone received."""
    phone = next(PHONES)
    verification_id = worker_pool.call(send, phone)
    (sms,) = sandbox.inbox.of(phone)
    return verification_id, code_in(sms.text)


def test_only_one_of_200_parallel_verifies_with_the_right_code_succeeds(
    worker_pool: WorkerPool, sandbox: Sandbox
) -> None:
    for _ in range(ROUNDS):
        verification_id, code = send_new(worker_pool, sandbox)

        outcomes = count_codes(worker_pool.run_at_once(verify, [(verification_id, code)] * 200))

        assert outcomes == {"done": 1, "already_used": 199}
        assert worker_pool.call(attempts_and_verified, verification_id) == (1, True)


def test_200_parallel_guesses_do_not_exceed_the_allowed_attempts(worker_pool: WorkerPool, sandbox: Sandbox) -> None:
    tally: Counter[str] = Counter()
    for _ in range(ROUNDS):
        verification_id, code = send_new(worker_pool, sandbox)
        guesses = [(verification_id, wrong(code))] * 199 + [(verification_id, code)]
        random.shuffle(guesses)

        outcomes = count_codes(worker_pool.run_at_once(verify, guesses))

        attempts, verified = worker_pool.call(attempts_and_verified, verification_id)
        succeeded, judged = outcomes["done"], outcomes["done"] + outcomes["wrong_code"]
        assert outcomes.keys() <= {"done", "wrong_code", "too_many_attempts", "already_used"}
        assert judged == attempts <= MAX_ATTEMPTS
        assert succeeded == verified
        assert succeeded or judged == MAX_ATTEMPTS
        tally[f"{succeeded} of {judged}"] += 1
    print(f"rounds by how many of the judged guesses succeeded: {dict(tally)}")


@pytest.mark.parametrize("flushes", [0, 10])
def test_only_one_of_100_parallel_sends_to_one_number_is_sent(
    flushes: int, worker_pool: WorkerPool, sandbox: Sandbox
) -> None:
    for _ in range(ROUNDS):
        phone = next(PHONES)
        sends = [(phone, ("login", "payment")[index % 2], index < flushes) for index in range(100)]
        random.shuffle(sends)

        outcomes = count_codes(worker_pool.run_at_once(send, sends))

        assert outcomes == {"done": 1, "throttled": 99}
        assert len(sandbox.inbox.of(phone)) == 1
        assert worker_pool.call(rows, phone) == (1, 1)


def open_ten_pages(worker_pool: WorkerPool, sandbox: Sandbox) -> tuple[str, list[UUID], str]:
    """Returns a new number, ten verifications of one code of it, of which one has an SMS, and the code."""
    phone = next(PHONES)
    pages = [worker_pool.call(send, phone), *(worker_pool.call(join, phone) for _page in range(9))]
    return phone, pages, code_in(sandbox.inbox.of(phone)[0].text)


def test_one_of_200_right_guesses_over_ten_verifications_of_a_code_succeeds(
    worker_pool: WorkerPool, sandbox: Sandbox
) -> None:
    for _ in range(ROUNDS):
        _phone, pages, code = open_ten_pages(worker_pool, sandbox)

        outcomes = count_codes(worker_pool.run_at_once(verify, [(page, code) for page in pages] * 20))

        assert outcomes == {"done": 1, "already_used": 199}


def test_guesses_over_ten_verifications_do_not_exceed_those_of_the_number(
    worker_pool: WorkerPool, sandbox: Sandbox
) -> None:
    for _ in range(ROUNDS):
        phone, pages, code = open_ten_pages(worker_pool, sandbox)
        guesses = [(page, wrong(code)) for page in pages] * 20
        guesses[random.randrange(200)] = (random.choice(pages), code)

        outcomes = count_codes(worker_pool.run_at_once(verify, guesses))

        judged = outcomes["done"] + outcomes["wrong_code"]
        assert outcomes.keys() <= {"done", "wrong_code", "too_many_attempts", "already_used"}
        assert judged == worker_pool.call(attempts_of_number, phone) <= GUESSES


def test_a_code_that_is_verified_is_joined_no_more(worker_pool: WorkerPool, sandbox: Sandbox) -> None:
    for _ in range(ROUNDS):
        phone = next(PHONES)
        first = worker_pool.call(send, phone)
        code = code_in(sandbox.inbox.of(phone)[0].text)
        worker_pool.call(end_pause, phone)
        requests = [(phone, first, code), *[(phone, None, "")] * 19]
        random.shuffle(requests)

        outcomes = worker_pool.run_at_once(send_or_verify, requests)

        assert count_codes(outcomes) == {"done": 2, "throttled": 18}
        (second,) = {outcome.value for outcome in outcomes if outcome.code == "done"} - {first}
        is_joined = worker_pool.call(root_of, second) == first
        second_code = code_in(sandbox.inbox.of(phone)[1].text)
        (last,) = worker_pool.run_at_once(verify, [(second, second_code)])
        assert last.code == ("already_used" if is_joined else "done")
        assert second_code == code or not is_joined


def test_two_processes_with_one_key_send_once_and_get_one_proof(worker_pool: WorkerPool, sandbox: Sandbox) -> None:
    for number in range(ROUNDS):
        phone, key = next(PHONES), f"press-{number}-{random.random()}".replace(".", "-")
        client = key, f"10.0.{number // 256}.{number % 256}"
        body = {"phone": phone, "purpose": "login"}
        sent = [outcome.value for outcome in worker_pool.run_at_once(post_with_key, [("send", body, *client)] * 20)]
        ids = {answer["verification_id"] for status, answer in sent if status == 202}
        guess = {"verification_id": ids.pop(), "code": code_in(sandbox.inbox.of(phone)[0].text)}
        requests = [("verify", guess, *client)] * 20
        verified = [outcome.value for outcome in worker_pool.run_at_once(post_with_key, requests)]

        assert not ids
        assert {status for status, _ in sent} <= {202, 409}
        assert len(sandbox.inbox.of(phone)) == 1
        assert {status for status, _ in verified} == {200}
        assert len({answer["proof"] for _, answer in verified}) == 1


def test_without_redis_nothing_is_sent_until_it_is_back(
    worker_pool: WorkerPool, sandbox: Sandbox, redis: Redis
) -> None:
    sites = [Site(url) for _, url in worker_pool.run_at_once(serve, [()] * PROCESSES)]
    assert [site.send(next(PHONES)).status_code for site in sites] == [202] * PROCESSES
    phones = list(islice(PHONES, PROCESSES))

    with redis.stopped():
        refusals = [refusal(site.send(phone)) for site, phone in zip(sites, phones, strict=True)]

    assert refusals == [(503, "throttle_unavailable")] * PROCESSES
    assert not [sms for phone in phones for sms in sandbox.inbox.of(phone)]
    answers = [site.send(phone).status_code for site, phone in zip(sites, phones, strict=True)]
    assert answers == [202] * PROCESSES
    assert [len(sandbox.inbox.of(phone)) for phone in phones] == [1] * PROCESSES


def test_a_budget_is_not_exceeded_by_one_fen_also_when_the_cache_is_flushed(
    worker_pool: WorkerPool, sandbox: Sandbox
) -> None:
    price, fits = Decimal("0.045"), 10
    before, _sent = worker_pool.call(spent_and_sent)
    try:
        for number in range(1, ROUNDS + 1):
            budget = before + number * fits * price
            worker_pool.call(set_budget, "login", str(budget), str(price))
            sends = [(next(PHONES), "login", index % 8 == 0) for index in range(4 * fits)]

            outcomes = count_codes(worker_pool.run_at_once(send, sends))

            assert outcomes == {"done": fits, "gateway_unavailable": 3 * fits}
            assert sum(len(sandbox.inbox.of(phone)) for phone, *_ in sends) == fits
            assert worker_pool.call(spent_and_sent) == (budget, budget)
    finally:
        worker_pool.call(set_budget, "login", None, None)
