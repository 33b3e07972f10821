"""A site with a queue, in this process, and workers in other processes, with the same database and broker."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from celery import Celery
from django.db import connection
from django.test import override_settings
from kombu import pools

from tests.conftest import LogRecorder, assert_clean, codes_of
from tests.servers import require

from .app import make_app
from .brokers import OWN_REDIS, Broker, OwnRedis, TCPProxy, eventually
from .workers import CELERY, SOLO, Worker

HOUR = 3600
FINAL = {"accepted", "not_sent", "unknown"}


@pytest.fixture(params=["RabbitMQ", OWN_REDIS])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    own = request.param == OWN_REDIS
    one: Broker = OwnRedis(tmp_path, durable=True) if own else TCPProxy(require(request.param))
    one.up()
    yield one
    one.down()


class Queue:
    """The queue of the site."""

    def __init__(self, app: Celery) -> None:
        self.name = app.conf.task_default_queue
        self.app = app

    def publish(self, *ids: str) -> None:
        self.app.send_task("smsverify.deliver", args=[list(ids)])

    def waiting(self, count: int) -> list[tuple[Any, str]]:
        """The arguments of each waiting task, and all that the broker stores of it; waits until there are so many."""
        found: list[tuple[Any, str]] = []
        with self.app.connection_for_write() as connection, connection.channel() as channel:

            def all_are_here() -> bool:
                while (message := channel.basic_get(self.name)) is not None:
                    body = message.body.decode() if isinstance(message.body, bytes) else message.body
                    found.append((json.loads(body)[0], f"{message.headers} {message.properties} {body}"))
                return len(found) >= count

            eventually(all_are_here, lambda: f"{len(found)} of {count} tasks wait")
        return found  # unacknowledged tasks return to the queue when the channel closes

    def expire_unacknowledged_tasks(self) -> None:
        """Redis delivers unacknowledged tasks again after an hour, RabbitMQ after the connection has ended."""
        with self.app.connection_for_write() as connection, connection.channel() as channel:
            index = getattr(channel, "unacked_index_key", None)
            held = channel.client.zrange(index, 0, -1, withscores=True) if index else []
            for tag, since in held:
                channel.client.zadd(index, {tag: since - HOUR})


@pytest.fixture
def queue(broker: Broker, transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    """The site's queue at the broker, which the site uses during the test."""
    app = make_app(broker.url, f"smsverify-{uuid4().hex}")
    monkeypatch.setattr("celery._state.default_app", app)
    with override_settings(SMSVERIFY={"DISPATCH": "celery"}):
        yield Queue(app)
    broker.down()  # a test may have stopped it
    broker.up()
    with app.connection_for_write() as connection, connection.channel() as channel:
        channel.queue_delete(app.conf.task_default_queue)
        channel.exchange_delete(app.conf.task_default_queue)
    pools.reset()
    app.close()


@pytest.fixture
def processes(tmp_path: Path, log: LogRecorder, sandbox: Any) -> Iterator[Callable[..., Worker]]:
    """Starts processes on this test's database; their output must not contain codes or secrets either."""
    started: list[Worker] = []
    with ExitStack() as running:

        def start(dispatch: str, *module: str, ready: str = "", **env: str) -> Worker:
            own = {"QUEUE_DATABASE": str(connection.settings_dict["NAME"]), "QUEUE_DISPATCH": dispatch, **env}
            where = tmp_path / f"process-{len(started)}.log"
            started.append(running.enter_context(Worker(where, own, *module, ready=ready)))
            return started[-1]

        yield start
    for process in started:
        assert_clean(process.output, codes_of(sandbox))


MakeWorker = Callable[..., Worker]


@pytest.fixture
def worker(queue: Queue, broker: Broker, processes: Callable[..., Worker]) -> MakeWorker:
    """Starts a Celery worker on the site's queue; it ends before the queue is deleted, or it would create it again."""

    def start(*pool: str) -> Worker:
        env = {"QUEUE_BROKER": broker.url, "QUEUE_NAME": queue.name}
        name = ("-n", f"{uuid4().hex}@%h")
        return processes("celery", *CELERY, *name, *(pool or SOLO), ready=" ready.", **env)

    return start
