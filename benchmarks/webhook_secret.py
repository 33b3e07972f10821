"""The time that a webhook takes to refuse a call: it must not show how much of a guessed secret is right.

    DJANGO_SETTINGS_MODULE=tests.settings python benchmarks/webhook_secret.py [ROUNDS]

Each round makes every kind of wrong call once, in a new order, so that load on the machine slows all kinds alike;
the medians are compared with that of a secret that is wrong from its first character.
"""

from __future__ import annotations

import gc
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter_ns

import django

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
django.setup()

from django.http import HttpResponse  # noqa: E402 - after the setup
from django.test import RequestFactory  # noqa: E402
from django.test.utils import setup_databases, setup_test_environment, teardown_databases  # noqa: E402

from django_smsverify.limits import flood  # noqa: E402
from django_smsverify.models import Provider  # noqa: E402
from django_smsverify.webhooks import webhook  # noqa: E402

ROUNDS = 5000
WARM_UP = 200
flood.RATE = "100000000/m"  # else wrong secrets are soon answered with 429
BASE = "wrong secret of the same length"


@contextmanager
def temporary_database() -> Iterator[None]:
    setup_test_environment(debug=False)
    databases = setup_databases(verbosity=0, interactive=False)
    try:
        yield
    finally:
        teardown_databases(databases, verbosity=0)


def other(character: str) -> str:
    return "a" if character != "a" else "b"


def guesses(provider: Provider) -> dict[str, tuple[str, str]]:
    """Slug and secret of each kind of wrong call."""
    slug, secret = provider.slug, provider.webhook_secret
    wrong, half = "".join(map(other, secret)), len(secret) // 2
    return {
        BASE: (slug, wrong),
        "the same again, for the noise": (slug, wrong),
        "secret whose first half is right": (slug, secret[:half] + wrong[half:]),
        "secret of which all but the last is right": (slug, secret[:-1] + wrong[-1]),
        "secret of another length": (slug, wrong[:half]),
        "unknown slug": ("unknown", wrong),
    }


def refusal(slug: str, secret: str) -> Callable[[], int]:
    """A function that makes a call that must be refused, and returns its nanoseconds."""
    factory = RequestFactory()

    def call() -> int:
        request = factory.post("/", b"smsverify=test", "application/x-www-form-urlencoded")
        begun = perf_counter_ns()
        answer: HttpResponse = webhook(request, slug, secret)
        taken = perf_counter_ns() - begun
        if answer.status_code != 404:
            raise RuntimeError(f"{slug} was not refused: {answer.status_code}")
        return taken

    return call


def measure(calls: dict[str, Callable[[], int]], rounds: int) -> dict[str, list[int]]:
    samples: dict[str, list[int]] = {name: [] for name in calls}
    order, rng = list(calls), random.Random(1)  # noqa: S311 - an order, not a secret
    gc.disable()
    for place in range(WARM_UP + rounds):
        rng.shuffle(order)
        for name in order:
            taken = calls[name]()
            if place >= WARM_UP:
                samples[name].append(taken)
        gc.collect(0)
    gc.enable()
    return samples


def table(samples: dict[str, list[int]]) -> Iterator[str]:
    base = median(samples[BASE])
    yield f"{'':<44}{'median':>10}{'spread':>10}{'ratio':>8}"
    for name, taken in samples.items():
        low, _, high = quantiles(taken)
        yield f"{name:<44}{median(taken) / 1000:>7.1f} µs{(high - low) / 1000:>7.1f} µs{median(taken) / base:>8.3f}"


def main(rounds: int) -> None:
    with temporary_database():
        provider = Provider.objects.create(name="Acme", slug="acme", gateway="ihuyi", credentials={"account": "a"})
        calls = {name: refusal(*guess) for name, guess in guesses(provider).items()}
        samples = measure(calls, rounds)
    print(f"{rounds} refusals of each kind, interleaved; spread: between the quartiles")
    print("\n".join(table(samples)))


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else ROUNDS)
