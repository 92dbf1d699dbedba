"""Read the pickles of CIFAR's Python version without pickle: nothing in a file is ever called.

A pickle is a program for a small stack machine, and `pickle.load` runs it, whatever it does: the
documentation warns that it "will execute arbitrary code".  Restricting `Unpickler.find_class` closes the
main door but not all of them (codes of the extension registry, once used, no longer pass through it).  The
published files need two dozen of the machine's instructions and three names.  This module interprets
just those: most build lists, tuples and dicts; the three names are plain text, never looked up; and the
instruction that calls something is recognised by the two forms in which NumPy's arrays use it.
Everything else is refused.

Source of the instructions: CPython, Lib/pickletools.py, protocol 2; strings are bytes, as Python 2 wrote
them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from plaingrad.errors import DataError


@dataclass(frozen=True)
class _Name:
    """A global that a file names; it stands for itself and cannot be called."""

    text: str


_RECONSTRUCT = _Name("numpy.core.multiarray _reconstruct")
_NDARRAY = _Name("numpy ndarray")
_DTYPE = _Name("numpy dtype")
_NAMES = {name.text: name for name in (_RECONSTRUCT, _NDARRAY, _DTYPE)}


class _UInt8:
    """What `numpy.dtype('u1')` is read as; the only element type admitted."""


class _Array:
    """What an array is read as until its state has arrived."""

    value: np.ndarray | None = None


def read_pickle(file: BinaryIO, path: Path) -> dict[bytes, Any]:
    """The dict in a CIFAR pickle: bytes keys; values ints, bytes, lists, and uint8 arrays (read-only).

    `file` is open at the pickle's start and `path` names it in messages.  Time and memory are bounded by
    the file's size.  Raises DataError for a file that is cut short, holds anything else, or goes on after
    its end.
    """
    try:
        result = _Machine(file).run()
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except (IndexError, KeyError, TypeError, ValueError, AttributeError, struct.error) as error:
        raise DataError(f"{path}: not a well-formed CIFAR batch (Python version)") from error
    if not isinstance(result, dict) or file.read(1):
        raise DataError(
            f"{path}: not a CIFAR batch (Python version): it should hold one dict and nothing else"
        )
    return {key: value.value if isinstance(value, _Array) else value for key, value in result.items()}


class _Machine:
    """The stack machine of pickle, without the instructions that could do harm."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.size = file.seek(0, 2)
        file.seek(0)
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # the stacks set aside by "mark"
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        """Follow the instructions up to "stop"; the one value then left is the result."""
        while (code := self.read(1)) != b".":
            instruction = _INSTRUCTIONS.get(code)
            if instruction is None:
                raise DataError(
                    f"instruction {code!r} at byte {self.file.tell() - 1} does not occur in CIFAR's files; "
                    "the file is damaged or malicious, and was not executed"
                )
            instruction(self)
        (result,) = self.stack
        return result

    def read(self, count: int) -> bytes:
        # A length that the file claims is compared with the file before memory is asked for.
        if not 0 <= count <= self.size or len(data := self.file.read(count)) != count:
            raise DataError("the file ends in the middle; it is truncated or damaged")
        return data

    def number(self, form: str) -> int:
        return struct.unpack(form, self.read(struct.calcsize(form)))[0]

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop_to_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.below.pop()
        return items

    def mark(self) -> None:
        self.below.append(self.stack)
        self.stack = []

    def protocol(self) -> None:
        if self.number("<B") != 2:
            raise DataError("written in another protocol than CIFAR's files; download the original")

    def remember(self, form: str) -> None:
        self.memo[self.number(form)] = self.stack[-1]

    def recall(self, form: str) -> None:
        self.push(self.memo[self.number(form)])

    def tuple_of(self, count: int) -> None:
        self.stack[-count:] = [tuple(self.stack[-count:])]

    def append(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            raise TypeError("append to something that is no list")
        target.extend(values)

    def set_items(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not dict or any(type(key) is not bytes for key in values[::2]):
            raise TypeError("set an item of something that is no dict, or under a key that is no string")
        target.update(zip(values[::2], values[1::2], strict=True))

    def name(self) -> None:
        module, name = (self.file.readline(64).rstrip(b"\n").decode("latin-1") for _ in range(2))
        if f"{module} {name}" not in _NAMES:
            raise DataError(
                f"asks for {module}.{name}, which CIFAR's files do not; "
                "the file is damaged or malicious, and was not executed"
            )
        self.push(_NAMES[f"{module} {name}"])

    def call(self) -> None:
        """The two calls that NumPy's arrays consist of; neither happens, their meaning is put in place."""
        arguments, function = self.stack.pop(), self.stack.pop()
        if function is _RECONSTRUCT and arguments == (_NDARRAY, (0,), b"b"):
            self.push(_Array())
        elif function is _DTYPE and arguments == (b"u1", 0, 1):
            self.push(_UInt8())
        else:
            raise DataError("calls something in a way CIFAR's files do not; it was not executed")

    def build(self) -> None:
        """An array's state (version, shape, dtype, Fortran order, bytes), or the dtype's, always the same."""
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, _Array):
            version, shape, dtype, fortran, data = state
            if (
                version != 1
                or not isinstance(dtype, _UInt8)
                or fortran is not False
                or type(data) is not bytes
            ):
                raise DataError("holds an array that is not one of plain bytes in C order")
            target.value = np.frombuffer(data, dtype=np.uint8).reshape(shape)
        elif not (isinstance(target, _UInt8) and state == (3, b"|", None, None, None, -1, -1, 0)):
            raise DataError("sets the state of something in a way CIFAR's files do not")


_INSTRUCTIONS: dict[bytes, Callable[[_Machine], None]] = {
    b"\x80": _Machine.protocol,
    b"(": _Machine.mark,
    b"}": lambda m: m.push({}),
    b"]": lambda m: m.push([]),
    b"N": lambda m: m.push(None),
    b"\x89": lambda m: m.push(False),
    b"K": lambda m: m.push(m.number("<B")),
    b"M": lambda m: m.push(m.number("<H")),
    b"J": lambda m: m.push(m.number("<i")),
    b"U": lambda m: m.push(m.read(m.number("<B"))),
    b"T": lambda m: m.push(m.read(m.number("<i"))),
    b"q": lambda m: m.remember("<B"),
    b"r": lambda m: m.remember("<I"),
    b"h": lambda m: m.recall("<B"),
    b"j": lambda m: m.recall("<I"),
    b"a": lambda m: m.append([m.stack.pop()]),
    b"e": lambda m: m.append(m.pop_to_mark()),
    b"s": lambda m: m.set_items([m.stack.pop(-2), m.stack.pop()]),
    b"u": lambda m: m.set_items(m.pop_to_mark()),
    b"t": lambda m: m.push(tuple(m.pop_to_mark())),
    b"\x85": lambda m: m.tuple_of(1),
    b"\x86": lambda m: m.tuple_of(2),
    b"\x87": lambda m: m.tuple_of(3),
    b"c": _Machine.name,
    b"R": _Machine.call,
    b"b": _Machine.build,
}
