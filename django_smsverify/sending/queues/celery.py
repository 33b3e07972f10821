"""Queued messages through Celery: the task is acknowledged after it has run, and is safe to run again."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from kombu import pools

from django_smsverify.sending import worker

RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_max": 0.2}
"""How often Celery tries to reach its broker again: once, as a broker restart may have closed a pooled connection."""
BROKER_SECONDS = 3
"""Seconds to wait for a free connection, and for the broker to accept or confirm a task."""
REDIS_TIMEOUTS = {"socket_connect_timeout": 2, "socket_timeout": 2}
"""Seconds that Redis may take to answer, unless the site's broker_transport_options set others."""


@shared_task(name="smsverify.deliver", acks_late=True, reject_on_worker_lost=True, ignore_result=True)
def deliver(ids: list[str]) -> int:
    """Sends those of these messages that are still queued; returns how many were handled."""
    return worker.run_task(ids)


def publish(ids: list[str]) -> None:
    """Enqueues `deliver`; raises the broker client's error within seconds, because a visitor is waiting."""
    with pools.producers[_broker()].acquire(block=True, timeout=BROKER_SECONDS) as producer:
        deliver.apply_async((ids,), producer=producer, timeout=BROKER_SECONDS, retry=True, retry_policy=RETRY_POLICY)


def ping() -> None:
    """Connects to the broker; raises its client's error within seconds."""
    with _broker() as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=BROKER_SECONDS)


def _broker() -> Any:
    """A connection to the broker. Celery limits its wait for RabbitMQ, but an unresponsive Redis would block it for
    minutes."""
    connection = deliver.app.connection_for_write()
    if connection.transport.driver_type != "redis":
        return connection
    return deliver.app.connection_for_write(transport_options={**REDIS_TIMEOUTS, **connection.transport_options})
