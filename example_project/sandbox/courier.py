"""When things happen at the vendors: a thread that lets them, and a way to let all of them now."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from threading import Condition, Thread, current_thread
from time import monotonic

from sandbox.pushing import Push, Pusher
from sandbox.travel import Travel

_MOST_PUSHES = 3
_STEP_SECONDS = 60

Happening = Callable[[Travel], Push | None]


@dataclass(frozen=True, slots=True, order=True)
class _Entry:
    """Something that is to happen at a vendor; serial numbers tell the newest."""

    due: float
    serial: int
    vendor: str = field(compare=False)
    travel: Travel = field(compare=False)
    happening: Happening = field(compare=False)
    turn: int = field(compare=False, default=1)


class Courier:
    """Lets each thing happen when it is due, one at a time, and pushes what comes of it."""

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
        """What waits goes on waiting; a push that is being answered is not waited for."""
        with self._changed:
            self._thread = None
            self._changed.notify_all()

    def plan(self, vendor: str, travel: Travel) -> None:
        self._plans[vendor] = travel

    def leave(self, vendor: str, happening: Happening) -> None:
        """Lets it happen as the vendor's travel plan says: later, or early, which is now."""
        travel = self._plans.get(vendor, Travel())
        entry = _Entry(monotonic() + travel.delay, next(self._serials), vendor, travel, happening)
        if travel.early:
            with self._changed:
                self._busy += 1
            self._carry_out(entry)
        else:
            self._await(entry)

    def flush(self) -> int:
        """Lets all that waits happen now, in this thread; returns how many calls were made."""
        made = 0
        while (entry := self._take()) is not None:
            made += self._carry_out(entry)
        return made

    def forget(self) -> None:
        """Drops what waits, and the plans; when it returns, nothing is under way."""
        with self._changed:
            self._waiting.clear()
            self._plans.clear()
            while self._busy:
                self._changed.wait()
            self._waiting.clear()

    def _run(self) -> None:
        while (entry := self._take_due()) is not None:
            self._carry_out(entry)

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
        return self._newest_instead_of(entry) if entry.travel.backwards else entry

    def _newest_instead_of(self, entry: _Entry) -> _Entry:
        """The vendor's newest, whose turn the entry takes over."""
        rivals = [other for other in self._waiting if other.vendor == entry.vendor]
        newest = max([entry, *rivals], key=lambda other: other.serial)
        if newest is not entry:
            self._waiting[self._waiting.index(newest)] = replace(entry, due=newest.due)
            heapq.heapify(self._waiting)
        return newest

    def _carry_out(self, entry: _Entry) -> int:
        try:
            push = entry.happening(entry.travel)
            return sum(self._push(push, entry) for _ in range(entry.travel.copies)) if push else 0
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    def _push(self, push: Push, entry: _Entry) -> bool:
        pushed = self._pusher.make(push)
        if pushed and not pushed.satisfies(push) and entry.turn < _MOST_PUSHES:
            again = replace(
                entry,
                due=monotonic() + _STEP_SECONDS * entry.turn,
                serial=next(self._serials),
                travel=replace(entry.travel, copies=1),
                happening=lambda travel: push,
                turn=entry.turn + 1,
            )
            self._await(again)
        return pushed is not None

    def _await(self, entry: _Entry) -> None:
        with self._changed:
            heapq.heappush(self._waiting, entry)
            self._changed.notify_all()
