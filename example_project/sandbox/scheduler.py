"""Delayed actions of the vendors: a thread runs each one when it is due; `flush` runs all of them now."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from threading import Condition, Thread, current_thread
from time import monotonic

from sandbox.pushing import Push, Pusher
from sandbox.travel import Travel

_MAX_PUSHES = 3
_RETRY_STEP_SECONDS = 60

Action = Callable[[Travel], Push | None]


@dataclass(frozen=True, slots=True, order=True)
class _Entry:
    """One delayed action of a vendor; the newest has the highest serial number."""

    due: float
    serial: int
    vendor: str = field(compare=False)
    travel: Travel = field(compare=False)
    action: Action = field(compare=False)
    attempt: int = field(compare=False, default=1)


class Scheduler:
    """Runs each action when it is due, one at a time, and makes the push that the action returns."""

    def __init__(self, pusher: Pusher) -> None:
        self._pusher = pusher
        self._serials = count()
        self._plans: dict[str, Travel] = {}
        self._changed = Condition()
        self._waiting: list[_Entry] = []
        self._busy = 0
        self._thread: Thread | None = None

    def start(self) -> None:
        with self._changed:
            self._thread = Thread(target=self._run, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Keeps the waiting actions; does not wait for a push that is under way."""
        with self._changed:
            self._thread = None
            self._changed.notify_all()

    def plan(self, vendor: str, travel: Travel) -> None:
        self._plans[vendor] = travel

    def plan_of(self, vendor: str) -> Travel:
        return self._plans.get(vendor, Travel())

    def schedule(self, vendor: str, action: Action) -> None:
        """Queues the action with the delay of the vendor's travel plan; an `early` one is run at once."""
        travel = self.plan_of(vendor)
        entry = _Entry(monotonic() + travel.delay, next(self._serials), vendor, travel, action)
        if travel.early:
            with self._changed:
                self._busy += 1
            self._execute(entry)
        else:
            self._enqueue(entry)

    def flush(self) -> int:
        """Runs all waiting actions now, in this thread; returns the number of calls made."""
        made = 0
        while (entry := self._take()) is not None:
            made += self._execute(entry)
        return made

    def reset(self) -> None:
        """Drops the waiting actions and the plans; waits until no action is under way."""
        with self._changed:
            self._waiting.clear()
            self._plans.clear()
            while self._busy:
                self._changed.wait()
            self._waiting.clear()

    def _run(self) -> None:
        while (entry := self._take_due()) is not None:
            self._execute(entry)

    def _take(self) -> _Entry | None:
        with self._changed:
            while self._busy:
                self._changed.wait()
            return self._pop() if self._waiting else None

    def _take_due(self) -> _Entry | None:
        with self._changed:
            while self._thread is current_thread():
                left = self._waiting[0].due - monotonic() if self._waiting and not self._busy else None
                if left is not None and left <= 0:
                    return self._pop()
                self._changed.wait(left)
            return None

    def _pop(self) -> _Entry:
        self._busy += 1
        entry = heapq.heappop(self._waiting)
        return self._swap_for_newest(entry) if entry.travel.backwards else entry

    def _swap_for_newest(self, entry: _Entry) -> _Entry:
        """Returns the newest entry of the same vendor; `entry` takes its place in the queue."""
        others = [other for other in self._waiting if other.vendor == entry.vendor]
        newest = max([entry, *others], key=lambda other: other.serial)
        if newest is not entry:
            self._waiting[self._waiting.index(newest)] = replace(entry, due=newest.due)
            heapq.heapify(self._waiting)
        return newest

    def _execute(self, entry: _Entry) -> int:
        try:
            push = entry.action(entry.travel)
            return sum(self._push(push, entry) for _ in range(entry.travel.copies)) if push else 0
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    def _push(self, push: Push, entry: _Entry) -> bool:
        pushed = self._pusher.make(push)
        if pushed and not pushed.is_expected_by(push) and entry.attempt < _MAX_PUSHES:
            again = replace(
                entry,
                due=monotonic() + _RETRY_STEP_SECONDS * entry.attempt,
                serial=next(self._serials),
                travel=replace(entry.travel, copies=1),
                action=lambda travel: push,
                attempt=entry.attempt + 1,
            )
            self._enqueue(again)
        return pushed is not None

    def _enqueue(self, entry: _Entry) -> None:
        with self._changed:
            heapq.heappush(self._waiting, entry)
            self._changed.notify_all()
