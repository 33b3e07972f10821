"""Calls of the cache run in threads that are used again."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from time import monotonic

import pytest

from django_smsverify.limits import threads as module
from django_smsverify.limits.threads import Threads

PATIENCE = 10.0


def thread_of(threads: Threads, wait: Callable[[], object] = lambda: None) -> threading.Thread:
    """The thread in which a job ran that has called `wait`."""
    found: list[threading.Thread] = []
    over = threading.Event()

    def job() -> None:
        wait()
        found.append(threading.current_thread())
        over.set()

    threads.run(job)
    assert over.wait(PATIENCE)
    return found[0]


def is_free(threads: Threads, many: int = 1) -> None:
    """Waits until so many threads have ended their jobs, which is just after the jobs have told so."""
    end = monotonic() + PATIENCE
    while len(threads._idle) < many:
        assert monotonic() < end, "they have not ended"


def test_a_thread_runs_one_job_after_another() -> None:
    threads = Threads("test")
    first = thread_of(threads)

    for _ in range(20):
        is_free(threads)
        assert thread_of(threads) is first


def test_jobs_at_once_run_in_threads_of_their_own() -> None:
    threads, together, over = Threads("test"), threading.Barrier(5), threading.Barrier(6)
    ran: list[int] = []

    def job() -> None:
        together.wait(PATIENCE)
        ran.append(threading.get_ident())
        over.wait(PATIENCE)

    for _ in range(5):
        threads.run(job)
    over.wait(PATIENCE)

    assert len(set(ran)) == 5
    is_free(threads, 5)
    assert thread_of(threads).ident in ran


def test_an_idle_thread_ends_and_the_next_job_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE", 0.01)
    threads = Threads("test")
    first = thread_of(threads)
    first.join(PATIENCE)

    assert not first.is_alive()
    assert not threads._idle
    assert thread_of(threads) is not first


def test_a_job_that_hangs_holds_up_no_other() -> None:
    threads, end, over = Threads("test"), threading.Event(), threading.Event()

    def hang() -> None:
        end.wait(PATIENCE)
        over.set()

    threads.run(hang)

    assert thread_of(threads).is_alive()
    end.set()
    assert over.wait(PATIENCE)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_forked_process_starts_threads_of_its_own() -> None:
    thread_of(module.cache_threads)
    is_free(module.cache_threads)

    if (child := os.fork()) == 0:
        over = threading.Event()
        module.cache_threads.run(over.set)
        os._exit(0 if over.wait(PATIENCE) else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
