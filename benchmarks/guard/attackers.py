"""Attackers: whom they ask for, from where, how often; none of them ever reads an SMS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from .world import World, solve

Target = tuple[str, str]
"""A number, and the address that asks for it."""
ADDRESSES = 10_000


def address(number: int) -> str:
    """One of many addresses, each in a network of its own."""
    return f"11.{number // 250 % 250}.{number % 250}.7"


def one_number(phone: str) -> Callable[[int], Target]:
    """A bomber's: one number, asked for from every address in turn."""
    return lambda turn: (phone, address(turn % ADDRESSES))


def one_block(block: str) -> Callable[[int], Target]:
    """A pumper's: the numbers of a block (seven digits) one after another."""
    return lambda turn: (f"+86{block}{turn % 10_000:04}", address(turn % ADDRESSES))


def many_blocks(blocks: int) -> Callable[[int], Target]:
    """A pumper's: the numbers of many blocks in turn."""
    return lambda turn: (f"+86199{turn % blocks:04}{turn // blocks % 10_000:04}", address(turn % ADDRESSES))


class Attacker:
    """Asks for a code again and again, at a steady pace, for so many seconds."""

    def __init__(
        self, world: World, target: Callable[[int], Target], every: float, lasts: float, *, solves: bool = False
    ) -> None:
        self.world, self._target, self._every, self._lasts, self._solves = world, target, every, lasts, solves
        self.asked = 0
        self.sent: list[float] = []
        """When an SMS was sent."""
        self.words: Counter[str] = Counter()
        """What the site said."""
        world.at(0, self._turn)

    def _turn(self) -> None:
        if (upcoming := (self.asked + 1) * self._every) < self._lasts:
            self.world.at(upcoming, self._turn)
        phone, ip = self._target(self.asked)
        self.asked += 1
        if ticket := self.world.ticket(ip):
            self.world.after(2, lambda: self.ask(phone, ip, ticket))
        else:
            self.ask(phone, ip)

    def ask(self, phone: str, ip: str, ticket: str = "") -> str:
        """Asks for a code, with a solved captcha where that helps and the attacker does it.

        Returns the id of the verification; empty for none.
        """
        answer = self.world.send(ip, phone=phone, purpose="login", ticket=ticket)
        if answer.word == "captcha_required" and self._solves:
            solved = solve(answer.body["captcha"])
            answer = self.world.send(ip, phone=phone, purpose="login", captcha=solved)
        self.words[answer.word] += 1
        if answer.word == "sent":
            self.sent.append(self.world.now)
        return str(answer.body.get("verification_id", ""))


class Guesser(Attacker):
    """Asks for the codes of one number, from a fresh address each time, and guesses at all that are live."""

    def __init__(self, world: World, phone: str, every: float, lasts: float) -> None:
        super().__init__(world, one_number(phone), every, lasts)
        self.judged: list[float] = []
        """When a guess was judged."""
        self._live: list[str] = []

    def ask(self, phone: str, ip: str, ticket: str = "") -> str:
        verification_id = super().ask(phone, ip, ticket)
        if verification_id:
            self._live.append(verification_id)
        elif self._live:
            self.words[self.world.send(ip, verification_id=self._live[-1]).word] += 1
        self._live = [known for known in self._live if self._guess(known, ip)]
        return verification_id

    def _guess(self, verification_id: str, ip: str) -> bool:
        """Guesses once; whether there may be another guess."""
        answer = self.world.verify(ip, verification_id, f"{self.world.rng.randrange(10**6):06}")
        if answer.word in ("wrong_code", "verified"):
            self.judged.append(self.world.now)
        return bool(answer.body.get("attempts_left"))


def most_within(moments: Iterable[float], seconds: float) -> int:
    """Returns the most moments that any time of so many seconds holds."""
    found = list(moments)
    return max((sum(0 <= later - first < seconds for later in found) for first in found), default=0)
