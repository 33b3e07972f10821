"""Laws 5 and 6 with processes on servers: many at once are as one after the other."""

from __future__ import annotations

import itertools
import os
import random
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from uuid import UUID

import pytest
from sandbox.server import Sandbox

from tests import services
from tests.conftest import Site, code_in, refusal, wrong
from tests.servers import require

from .acts import look, open_account, rows, send, serve, verify
from .crew import Crew, alone, create_database, drop_database, words
from .redis import Redis
from .worker import PROCESSES, Settings

ROUNDS = int(os.environ.get("ROUNDS", "5"))
MAX_ATTEMPTS = 5
SERVERS = ("PostgreSQL", "MariaDB")
LEVELS = ("read committed", "repeatable read")
VENDOR = "topthink"
PHONES = (f"138{block:04}8000" for block in itertools.count())
"""Each in a number block of its own, that no limit but the number's is reached."""

pytestmark = pytest.mark.timeout(120 + 5 * ROUNDS)


@pytest.fixture(scope="module", params=itertools.product(("PostgreSQL", "MariaDB"), LEVELS), ids=" ".join)
def own(request: pytest.FixtureRequest, redis: Redis) -> Iterator[Settings]:
    """The settings of a site at one server with one isolation level, and its database."""
    name, level = request.param
    database = {**services.database(require(name), level), "CONN_MAX_AGE": None}
    own = {"DATABASES": {"default": database}, "CACHES": {"default": services.cache(redis.url)}}
    assert alone(create_database, own)
    yield own
    assert alone(drop_database, own)


@pytest.fixture(scope="module")
def crew(own: Settings, sandbox_server: Sandbox) -> Iterator[Crew]:
    with Crew(own) as crew:
        crew.ask(open_account, VENDOR, sandbox_server.base_urls[VENDOR])
        yield crew


def asked(crew: Crew, sandbox: Sandbox) -> tuple[UUID, str]:
    """A verification of a number of its own, and the code that its phone received."""
    phone = next(PHONES)
    verification_id = crew.ask(send, phone)
    (sms,) = sandbox.inbox.of(phone)
    return verification_id, code_in(sms.text)


def test_of_200_parallel_verifies_of_the_right_code_one_succeeds(crew: Crew, sandbox: Sandbox) -> None:
    for _ in range(ROUNDS):
        verification_id, code = asked(crew, sandbox)

        outcomes = words(crew.at_once(verify, [(verification_id, code)] * 200))

        assert outcomes == {"done": 1, "already_used": 199}
        assert crew.ask(look, verification_id) == (1, True)


def test_of_200_parallel_guesses_no_more_are_judged_than_allowed(crew: Crew, sandbox: Sandbox) -> None:
    tally: Counter[str] = Counter()
    for _ in range(ROUNDS):
        verification_id, code = asked(crew, sandbox)
        guesses = [(verification_id, wrong(code))] * 199 + [(verification_id, code)]
        random.shuffle(guesses)

        outcomes = words(crew.at_once(verify, guesses))

        attempts, verified = crew.ask(look, verification_id)
        won, judged = outcomes["done"], outcomes["done"] + outcomes["wrong_code"]
        assert outcomes.keys() <= {"done", "wrong_code", "too_many_attempts", "already_used"}
        assert judged == attempts <= MAX_ATTEMPTS
        assert won == verified
        assert won or judged == MAX_ATTEMPTS
        tally[f"{won} of {judged}"] += 1
    print(f"rounds by how many of the judged guesses succeeded: {dict(tally)}")


@pytest.mark.parametrize("flushes", [0, 10])
def test_of_100_parallel_sends_to_one_number_one_goes_out(flushes: int, crew: Crew, sandbox: Sandbox) -> None:
    for _ in range(ROUNDS):
        phone = next(PHONES)
        sends = [(phone, ("login", "payment")[index % 2], index < flushes) for index in range(100)]
        random.shuffle(sends)

        outcomes = words(crew.at_once(send, sends))

        assert outcomes == {"done": 1, "throttled": 99}
        assert len(sandbox.inbox.of(phone)) == 1
        assert crew.ask(rows, phone) == (1, 1)


def test_without_redis_nothing_is_sent_and_with_it_again_all_is_as_before(
    crew: Crew, sandbox: Sandbox, redis: Redis
) -> None:
    sites = [Site(url) for _, url in crew.at_once(serve, [()] * PROCESSES)]
    assert [site.send(next(PHONES)).status_code for site in sites] == [202] * PROCESSES
    phones = list(islice(PHONES, PROCESSES))

    with redis.stopped():
        refusals = [refusal(site.send(phone)) for site, phone in zip(sites, phones, strict=True)]

    assert refusals == [(503, "throttle_unavailable")] * PROCESSES
    assert not [sms for phone in phones for sms in sandbox.inbox.of(phone)]
    answers = [site.send(phone).status_code for site, phone in zip(sites, phones, strict=True)]
    assert answers == [202] * PROCESSES
    assert [len(sandbox.inbox.of(phone)) for phone in phones] == [1] * PROCESSES
