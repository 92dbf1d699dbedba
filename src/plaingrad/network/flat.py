"""Named arrays in one flat buffer: an update, a norm or a checkpoint is then one operation on one array."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Self

import numpy as np

from plaingrad.errors import ShapeError

Array = np.ndarray
Shape = tuple[int, ...]


class FlatDict(dict[str, Array]):
    """A dict of arrays that are all views of `flat`, one contiguous buffer.

    Assigning to a name copies the value into the buffer, so views held elsewhere stay true.  The
    arrays named in `first` lie at the front of the buffer, as `flat[:size_first]`: weights go there,
    so that weight decay is one operation too.  Keys look like "affine1.weight"; `groups` gives the
    same views by layer: `groups["affine1"]["weight"]`.
    """

    def __init__(
        self,
        shapes: Mapping[str, Shape],
        dtype: Any = np.float32,
        first: Collection[str] = (),
        *,
        buffer: Array | None = None,
    ) -> None:
        super().__init__()
        self._shapes = dict(shapes)
        self._first = frozenset(first)
        sizes = {name: int(np.prod(shape)) for name, shape in self._shapes.items()}
        self.flat: Array = np.empty(sum(sizes.values()), dtype) if buffer is None else buffer
        self.size_first = sum(sizes[name] for name in self._first)
        front, back = 0, self.size_first
        for name, shape in self._shapes.items():
            start = front if name in self._first else back
            stop = start + sizes[name]
            super().__setitem__(name, self.flat[start:stop].reshape(shape))
            if name in self._first:
                front = stop
            else:
                back = stop
        self.groups: dict[str, dict[str, Array]] = {}
        for name, view in self.items():
            layer, _, local = name.rpartition(".")
            self.groups.setdefault(layer, {})[local] = view

    def __setitem__(self, name: str, value: Any) -> None:
        self._check(name, value)
        self[name][...] = value

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Copy the values in, as assigning to each name does; nothing is changed if one does not fit."""
        values = dict(*args, **kwargs)
        for name, value in values.items():
            self._check(name, value)
        for name, value in values.items():
            self[name][...] = value

    def __ior__(self, values: Any) -> Self:  # type: ignore[override]
        self.update(values)
        return self

    def assign(self, values: Mapping[str, Any]) -> None:
        """Copy every value in; `values` must have exactly these names."""
        if set(values) != set(self):
            unknown, missing = sorted(set(values) - set(self)), sorted(set(self) - set(values))
            raise ShapeError(f"names do not agree: unknown {unknown}, missing {missing}")
        self.update(values)

    def like(self, dtype: Any = None) -> FlatDict:
        """A dict of the same names, shapes and layout whose values are not yet set."""
        return FlatDict(self._shapes, dtype or self.flat.dtype, self._first)

    def renamed(self, names: Mapping[str, str]) -> FlatDict:
        """The same memory under other names: `names` has a new one for each of ours."""
        shapes = {names[name]: shape for name, shape in self._shapes.items()}
        return FlatDict(shapes, None, [names[name] for name in self._first], buffer=self.flat)

    def copy(self, dtype: Any = None) -> FlatDict:
        """The same values in a buffer of their own."""
        other = self.like(dtype)
        other.flat[...] = self.flat
        return other

    def __deepcopy__(self, memo: dict[int, Any]) -> FlatDict:
        return self.copy()

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self._shapes, self._first, self.flat)

    def _check(self, name: str, value: Any) -> None:
        if name not in self:
            raise KeyError(f"there is no array named {name!r}; there are: {', '.join(self)}")
        if np.shape(value) != self[name].shape:
            raise ShapeError(
                f"{name} has shape {self[name].shape}, but got a value of shape {np.shape(value)}"
            )

    def __delitem__(self, *args: Any) -> None:
        raise TypeError("the names of a FlatDict are fixed when it is made")

    pop = popitem = clear = setdefault = __delitem__  # type: ignore[assignment]


def _rebuild(shapes: Mapping[str, Shape], first: Collection[str], flat: Array) -> FlatDict:
    made = FlatDict(shapes, flat.dtype, first)
    made.flat[...] = flat
    return made
