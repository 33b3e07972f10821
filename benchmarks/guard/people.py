"""Honest people: when they come, from where, how long they need for a code, and whether they enter it."""

from __future__ import annotations

import random
from dataclasses import dataclass

from .world import HOUR, Answer, World, solve

HOURS = (3, 2, 1, 1, 1, 2, 4, 8, 12, 14, 14, 14, 15, 13, 12, 12, 12, 12, 13, 15, 16, 15, 12, 8)
"""How many people come in each hour of a day, in proportion."""
BLOCKS = 1000
"""Number blocks of which they are."""
SHARED_ADDRESSES = 100
"""Addresses of carriers. Half of the people come from them, the others from addresses of their own."""
ENTERS_SECOND = 0.1
"""Of those who enter a code, those who enter the second one."""
ASKS_AGAIN = 0.3
"""Of those who enter none, those who ask for a second one."""
AGAIN_AFTER = 61.0
ON_PAGE = 5.0
"""Seconds between the page and the request, and for a captcha."""


@dataclass(frozen=True)
class Habit:
    """What a person does with codes."""

    sms: int
    """How many are asked for."""
    enters: bool
    """Whether the last one is entered."""
    after: float
    """Seconds that it takes to enter it."""


def habit(rng: random.Random, conversion: float) -> Habit:
    """Returns what somebody does where such a share of people enters a code in the end."""
    after = 0.0
    while not 10 <= after <= 80:
        after = rng.lognormvariate(3.2, 0.5)
    enters = rng.random() < conversion
    is_again = rng.random() < (ENTERS_SECOND if enters else ASKS_AGAIN)
    return Habit(1 + is_again, enters, after)


def moment(rng: random.Random) -> float:
    """Returns when somebody comes, in seconds since midnight."""
    return (rng.choices(range(24), HOURS)[0] + rng.random()) * HOUR


def place(rng: random.Random, number: int) -> tuple[str, str]:
    """Returns a phone number, another one for each number, and the address from which it comes."""
    phone = f"+86138{number % BLOCKS:04}{number // BLOCKS:04}"
    shared = rng.randrange(2 * SHARED_ADDRESSES)
    own = f"{36 + number // 62_500}.{number // 250 % 250}.{number % 250}.7"
    return phone, f"35.0.{shared}.7" if shared < SHARED_ADDRESSES else own


@dataclass
class Visit:
    """How it went when somebody wanted a code."""

    captchas: int = 0
    pauses: int = 0
    """Waits for the pause between two SMS to the number."""
    refusal: str = ""
    """The scope of a limit, or the code of another refusal."""
    sms: int = 0
    is_verified: bool = False


class Person:
    """Somebody who opens the page, asks for a code and perhaps enters it."""

    def __init__(self, world: World, phone: str, ip: str, habit: Habit, *, keeps_device: bool = False) -> None:
        self.world, self.phone, self.ip, self.habit, self.keeps_device = world, phone, ip, habit, keeps_device
        self.visits: list[Visit] = []
        self._device = self._verification_id = ""

    def come_at(self, moment: float) -> Person:
        """Has the person come then; may be said again for another day."""
        self.world.at(moment, self._come)
        return self

    def _come(self) -> None:
        self.visits.append(Visit())
        self._verification_id = ""
        self._open_page()

    def _open_page(self) -> None:
        ticket = self.world.ticket(self.ip)
        self.world.after(ON_PAGE, lambda: self._ask(ticket=ticket))

    def _ask(self, **tokens: str) -> None:
        visit = self.visits[-1]
        if self._verification_id:
            asked = {"verification_id": self._verification_id}
        else:
            asked = {"phone": self.phone, "purpose": "login"}
        answer = self.world.send(self.ip, **asked, **tokens, device=self._device)
        if answer.word in ("sent", "joined"):
            self._read(visit, answer)
        elif answer.word == "captcha_required" and "captcha" not in tokens:
            visit.captchas += 1
            self.world.after(ON_PAGE, lambda: self._ask(**tokens, captcha=solve(answer.body["captcha"])))
        elif answer.word == "resend":
            visit.pauses += 1
            self.world.after(answer.body["retry_after"], self._open_page)
        else:
            visit.refusal = answer.word

    def _read(self, visit: Visit, answer: Answer) -> None:
        visit.sms += 1
        self._verification_id = answer.body["verification_id"]
        if visit.sms < self.habit.sms:
            self.world.after(AGAIN_AFTER, self._open_page)
        elif self.habit.enters:
            self.world.after(self.habit.after, lambda: self._enter(visit))

    def _enter(self, visit: Visit) -> None:
        answer = self.world.verify(self.ip, self._verification_id, self.world.codes[self.phone])
        if answer.word == "verified":
            visit.is_verified = True
            self._device = answer.body["device"] if self.keeps_device else ""
        else:
            visit.refusal = answer.word
