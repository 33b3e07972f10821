"""The points at which a process is killed, and the statuses and SMS then and after the poll."""

from __future__ import annotations

from typing import NamedTuple

from .deaths import Kill, after, before, until_answered

CLAIM = "django_smsverify.sending.worker.claim_message"
ENQUEUE = "django_smsverify.sending.dispatch._enqueue"
REQUEST = "django_smsverify.gateways.transport.HTTPTransport.send"
BYTES = "http.client.HTTPConnection.send"
ANSWER = "urllib3.connection.HTTPConnection.getresponse"
RECORD = "django_smsverify.sending.attempt.record_outcomes"
FOLLOW_UP = "django_smsverify.reports.matching.match_messages"
MATCH = "django_smsverify.reports.single.match_reports"
VERIFICATION = "django_smsverify.sending.new_code.insert"
JOINED = "django_smsverify.sending.joining.insert"
MESSAGE = "django_smsverify.sending.attempt.insert"
GUESS = "django_smsverify.verifying.guess._store_right"
VERIFIED = "django_smsverify.signals.phone_verified.send_robust"
REPORT = "django_smsverify.reports.single.insert"
REPORTED = "django_smsverify.reports.single._tell"
DISPATCHED = "django_smsverify.sending.second_route.dispatch_later"


class Point(NamedTuple):
    """One row of the table below."""

    verb: str
    """What the process does: `failover` is a send whose first vendor refuses, `overtaken` a webhook whose message gets
    its id after it was searched, `failed` a webhook after which the code goes by another vendor, `verify_joined` a
    right guess on the second verification of a code."""
    where: str
    kill: Kill
    left: str
    """The statuses of the number's messages after the kill."""
    sms: int
    """The number of SMS that the phone has got by then."""
    after_poll: str
    """Those statuses after the poll."""
    sms_after_poll: int
    reports: int = 0
    """The number of reports that are stored after the kill."""
    verified: bool = False
    """Whether the code was verified before the kill."""

    @property
    def name(self) -> str:
        return f"{self.verb}: {self.where}"


def unread(nth: int = 1) -> Kill:
    return before(ANSWER, nth, first=until_answered)


# fmt: off
TABLE = (
    Point("send", "between the verification's row and the message's", after(VERIFICATION), "", 0, "", 0),
    Point("send", "after the message's row, before COMMIT", after(MESSAGE), "", 0, "", 0),
    Point("send", "after COMMIT, before the request", before(REQUEST), "sending", 0, "unknown", 0),
    Point("send", "with half of the request written", before(BYTES, 2), "sending", 0, "unknown", 0),
    Point("send", "with the answer unread", unread(), "sending", 1, "unknown", 1),
    Point("send", "with the answer read, nothing recorded", after(REQUEST), "sending", 1, "unknown", 1),
    Point("send", "with the acceptance recorded, before a report is looked for", before(FOLLOW_UP),
          "accepted", 1, "delivered", 1),

    Point("failover", "with the refusal recorded, before the next vendor", after(RECORD), "sending", 0, "unknown", 0),
    Point("failover", "with both recorded, before COMMIT", after(MESSAGE, 2), "sending", 0, "unknown", 0),
    Point("failover", "after that COMMIT, before the next vendor's request", before(REQUEST, 2),
          "not_sent sending", 0, "not_sent unknown", 0),
    Point("failover", "with the next vendor's answer unread", unread(2), "not_sent sending", 1, "not_sent unknown", 1),

    Point("resend", "after the message's row, before COMMIT", after(MESSAGE), "accepted", 1, "delivered", 1),
    Point("resend", "after COMMIT, before the request", before(REQUEST),
          "accepted sending", 1, "delivered unknown", 1),
    Point("resend", "with the answer unread", unread(), "accepted sending", 2, "delivered unknown", 2),

    Point("join", "between the verification's row and the message's", after(JOINED),
          "accepted", 1, "delivered", 1),
    Point("join", "after COMMIT, before the request", before(REQUEST), "accepted sending", 1, "delivered unknown", 1),
    Point("join", "with the answer unread", unread(), "accepted sending", 2, "delivered unknown", 2),

    Point("enqueue", "after COMMIT, before the queue has it", before(ENQUEUE), "queued", 0, "delivered", 1),

    Point("worker", "before the claim", before(CLAIM), "queued", 0, "delivered", 1),
    Point("worker", "after the claim, before COMMIT", after(CLAIM), "queued", 0, "delivered", 1),
    Point("worker", "after the claim, before the request", before(REQUEST), "sending", 0, "unknown", 0),
    Point("worker", "with the answer unread", unread(), "sending", 1, "unknown", 1),
    Point("worker", "after the acceptance's COMMIT", before(FOLLOW_UP), "accepted", 1, "delivered", 1),

    Point("webhook", "after the message's status, before the report's row", before(REPORT),
          "accepted", 1, "delivered", 1),
    Point("webhook", "after the report's row, before COMMIT", after(REPORT), "accepted", 1, "delivered", 1),
    Point("webhook", "after COMMIT, before the signals", before(REPORTED), "delivered", 1, "delivered", 1, 1),

    Point("overtaken", "after the report's row", after(REPORT), "accepted", 1, "delivered", 1, 1),
    Point("overtaken", "before the message has it", before(MATCH), "accepted", 1, "delivered", 1, 1),

    Point("failed", "with the second SMS stored, before COMMIT", after(MESSAGE), "accepted", 1, "delivered", 1),
    Point("failed", "after COMMIT, before a thread has it", before(DISPATCHED),
          "undelivered queued", 1, "undelivered accepted", 2, 1),
    Point("failed", "after the claim, before the request", before(REQUEST),
          "undelivered sending", 1, "undelivered unknown", 1, 1),
    Point("failed", "with the answer unread", unread(), "undelivered sending", 2, "undelivered unknown", 2, 1),
    Point("failed", "after the acceptance's COMMIT", before(FOLLOW_UP),
          "undelivered accepted", 2, "undelivered accepted", 2, 1),

    Point("verify", "with the success stored, before COMMIT", after(GUESS), "accepted", 1, "delivered", 1),
    Point("verify", "after COMMIT, before the signals", before(VERIFIED), "accepted", 1, "delivered", 1, verified=True),
    Point("verify_joined", "with the success stored, before COMMIT", after(GUESS),
          "accepted accepted", 2, "delivered delivered", 2),
    Point("verify_joined", "after COMMIT, before the signals", before(VERIFIED),
          "accepted accepted", 2, "delivered delivered", 2, verified=True),
)
# fmt: on
POINTS = {point.name: point for point in TABLE}
