"""Results of methods that are computed once for each object."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

T = TypeVar("T")


def kept(method: Callable[[Any], T]) -> Callable[[Any], T]:
    """Makes a method without parameters return its first result; the object must not change."""
    name = f"_kept_{method.__qualname__}"

    @wraps(method)
    def call(self: Any) -> T:
        if name not in self.__dict__:
            self.__dict__[name] = method(self)
        return self.__dict__[name]

    return call
