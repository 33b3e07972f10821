"""Queued messages through Celery: the task is acknowledged when it is done, and harmless when it is run again."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from kombu import pools

from django_smsverify.sending import worker

RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_max": 0.2}
"""How often Celery tries to reach its broker: once more, as a pooled connection may have died of a restart."""
BROKER_SECONDS = 3
"""Seconds to wait for a free connection, and for the broker to take or confirm a task."""
REDIS_TIMEOUTS = {"socket_connect_timeout": 2, "socket_timeout": 2}
"""Seconds that a Redis may say nothing, unless the site's broker_transport_options say otherwise."""


@shared_task(name="smsverify.deliver", acks_late=True, reject_on_worker_lost=True, ignore_result=True)
def deliver(ids: list[str]) -> int:
    """Delivers those of these messages that still are queued; returns how many were."""
    return worker.send_waiting(ids)


def publish(ids: list[str]) -> None:
    """Queues `deliver`; what a broker's client raises comes within seconds, as a visitor waits."""
    with pools.producers[_broker()].acquire(block=True, timeout=BROKER_SECONDS) as producer:
        deliver.apply_async((ids,), producer=producer, timeout=BROKER_SECONDS, retry=True, retry_policy=RETRY_POLICY)


def _broker() -> Any:
    """A connection to it; Celery bounds its wait for RabbitMQ, but a silent Redis would hold it for minutes."""
    connection = deliver.app.connection_for_write()
    if connection.transport.driver_type != "redis":
        return connection
    return deliver.app.connection_for_write(transport_options={**REDIS_TIMEOUTS, **connection.transport_options})
