"""Named arrays in one flat buffer: an update, a norm or a checkpoint is then one operation on one array."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, Self

import numpy as np

from plaingrad.errors import ShapeError
from plaingrad.kernels.workspace import empty

Array = np.ndarray
Shape = tuple[int, ...]


class _Place(NamedTuple):
    """Where an array lies in the buffer, and the two halves of its name."""

    start: int
    stop: int
    shape: Shape
    layer: str
    local: str


class FlatDict(dict[str, Array]):
    """A dict of arrays that are all views of `flat`, one contiguous buffer.

    Assigning to a name copies the value into the buffer, so views held elsewhere stay true.  The
    arrays named in `first` lie at the front of the buffer, as `flat[:size_first]`: weights go there,
    so that weight decay is one operation too.  Keys look like "affine1.weight"; `groups` gives the
    same views by layer: `groups["affine1"]["weight"]`.
    """

    def __init__(
        self, shapes: Mapping[str, Shape], dtype: Any = np.float32, first: Collection[str] = ()
    ) -> None:
        sizes = {name: math.prod(shape) for name, shape in shapes.items()}
        size_first = sum(sizes[name] for name in first)
        places, front, back = {}, 0, size_first
        for name, shape in shapes.items():
            layer, _, local = name.rpartition(".")
            start = front if name in first else back
            places[name] = _Place(start, start + sizes[name], tuple(shape), layer, local)
            if name in first:
                front += sizes[name]
            else:
                back += sizes[name]
        self._view(places, size_first, np.empty(sum(sizes.values()), dtype))

    def _view(self, places: Mapping[str, _Place], size_first: int, flat: Array) -> FlatDict:
        """Become views of `flat`.  The layout is worked out once and shared: gradients are made each step."""
        self._places, self.size_first, self.flat = places, size_first, flat
        self.groups: dict[str, dict[str, Array]] = {}
        for name, (start, stop, shape, layer, local) in places.items():
            view = flat[start:stop].reshape(shape)
            super().__setitem__(name, view)
            self.groups.setdefault(layer, {})[local] = view
        return self

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
        flat = empty((self.flat.size,), dtype or self.flat.dtype)  # gradients are made, and gone, each step
        return FlatDict.__new__(FlatDict)._view(self._places, self.size_first, flat)

    def renamed(self, names: Mapping[str, str]) -> FlatDict:
        """The same memory under other names: `names` has a new one for each of ours."""
        places = {}
        for name, place in self._places.items():
            layer, _, local = names[name].rpartition(".")
            places[names[name]] = place._replace(layer=layer, local=local)
        return FlatDict.__new__(FlatDict)._view(places, self.size_first, self.flat)

    def copy(self, dtype: Any = None) -> FlatDict:
        """The same values in a buffer of their own."""
        other = self.like(dtype)
        other.flat[...] = self.flat
        return other

    def __deepcopy__(self, memo: dict[int, Any]) -> FlatDict:
        return self.copy()

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self._places, self.size_first, self.flat.copy())

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


def _rebuild(places: Mapping[str, _Place], size_first: int, flat: Array) -> FlatDict:
    return FlatDict.__new__(FlatDict)._view(places, size_first, flat)
