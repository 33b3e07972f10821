"""Values whose `repr` is masked: in debuggers, in tracebacks with local variables, in monitoring tools."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

T = TypeVar("T")

if TYPE_CHECKING:
    _Mapping = Mapping[str, T]
else:
    _Mapping = Generic


class Secret(str):
    """Text whose `repr` is `***`: in debuggers, tracebacks with locals and monitoring tools.

    A slice of it, or text built with it, is a plain string again: do that only where the request to a vendor is built.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def secrets_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the same values, each string as a Secret; other types stay unchanged, for later validation."""
    return {name: Secret(value) if isinstance(value, str) else value for name, value in values.items()}


class PerNumber(_Mapping[T]):
    """A mapping from numbers to values, in order; its `repr` shows only how many numbers it has.

    It works like a dict, but at run time it is no Mapping, because monitoring tools print the keys of a Mapping in
    full.
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, T] | Iterable[tuple[str, T]] = ()) -> None:
        self._items: dict[str, T] = dict(items)

    def __getitem__(self, phone: str) -> T:
        return self._items[phone]

    def __setitem__(self, phone: str, value: T) -> None:
        self._items[phone] = value

    def __contains__(self, phone: object) -> bool:
        return phone in self._items

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        return self._items == (other._items if isinstance(other, PerNumber) else other)

    __hash__ = None  # type: ignore[assignment]  # it is mutable

    def __repr__(self) -> str:
        return f"<{len(self)} numbers>"

    def keys(self) -> Any:
        return self._items.keys()

    def values(self) -> Any:
        return self._items.values()

    def items(self) -> Any:
        return self._items.items()

    def get(self, phone: str, default: Any = None) -> Any:
        return self._items.get(phone, default)

    def clear(self) -> None:
        self._items.clear()
