"""The credits left in an account at a vendor."""

from __future__ import annotations

from threading import Lock


class Credits:
    """A number of credits that concurrent requests spend."""

    def __init__(self, opening: int) -> None:
        self._lock = Lock()
        self._opening = opening
        self._left = opening

    @property
    def left(self) -> int:
        with self._lock:
            return self._left

    @left.setter
    def left(self, left: int) -> None:
        if left < 0:
            raise ValueError(f"an account cannot have {left} credits: give 0 or more")
        with self._lock:
            self._left = left

    def spend(self, count: int = 1) -> int | None:
        """Returns the credits left afterwards; None, with nothing spent, if there are too few."""
        with self._lock:
            if self._left < count:
                return None
            self._left -= count
            return self._left

    def reset(self) -> None:
        self.left = self._opening
