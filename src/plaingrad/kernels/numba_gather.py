"""A batch in one pass over its samples: gathered as they are stored, converted to float32, and normalised.

The numbers are those of NumPy, to the bit.  uint8 samples, read once, move a quarter of the bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic as untyped_intrinsic

from plaingrad.kernels.compiled import compiled
from plaingrad.kernels.threads import shared_out
from plaingrad.kernels.workspace import empty

Array = np.ndarray
intrinsic: Any = untyped_intrinsic

# Each is compiled for itself, when first met.
_STORED = frozenset(map(np.dtype, (np.uint8, np.float32, np.float64)))
_LARGE = 1 << 20  # numbers: below, waking a thread costs more than it saves
_RUN, _LINE = 512, 64  # numbers converted in one go; bytes that a processor fetches at once


@intrinsic
def _fetch(context, array, index):
    """Have the processor fetch array[index] into its cache, without waiting for it."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        pointer = builder.bitcast(builder.gep(data, [args[1]]), ir.IntType(8).as_pointer())
        flag = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, flag, flag, flag])
        prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(prefetch, [pointer, flag(0), flag(3), flag(1)])  # to read, to keep, data
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


@compiled(exact=True)
def _gather(
    start: int, stop: int, samples: Array, indices: Array, shift: Array, scale: Array, out: Array
) -> bool:
    """out[i] = (samples[indices[i]] − shift) · scale for i from `start` to `stop`; False for an index that is none."""
    for i in range(start, stop):
        if not 0 <= indices[i] < len(samples):
            return False
    one, factor, line = scale.size == 1, scale[0], _LINE // samples.itemsize
    for i in range(start, stop):
        # The samples lie anywhere: while one is converted, the next is on its way.
        sample, following = samples[indices[i]], samples[indices[min(i + 1, stop - 1)]]
        for first in range(0, shift.size, _RUN):
            last = min(first + _RUN, shift.size)
            for j in range(first, last, line):
                _fetch(following, j)
            x, less, row = sample[first:last], shift[first:last], out[i, first:last]
            if one:
                for j in range(x.size):
                    row[j] = (np.float32(x[j]) - less[j]) * factor
            else:
                times = scale[first:last]
                for j in range(x.size):
                    row[j] = (np.float32(x[j]) - less[j]) * times[j]
    return True


def gathered(images: Array, indices: Array | None, shift: Array, scale: Array) -> Array | None:
    """The samples `images[indices]` (all of them for None), less the shift, times the scale: float32, in C's order.

    images (N, ...); shift (D,) for the D numbers of a sample, scale (D,) or (1,), both float32.  None for what is
    left to NumPy: images of other types or in other order, indices that are not int64 or count from the end.
    """
    if indices is None:
        indices = np.arange(len(images))
    elif not (type(indices) is np.ndarray and indices.dtype == np.int64 and indices.ndim == 1):
        return None
    if not (images.dtype in _STORED and images.flags.c_contiguous and images.size):
        return None
    out = empty((len(indices), *images.shape[1:]))
    samples, rows = images.reshape(len(images), shift.size), out.reshape(len(indices), shift.size)
    # Arrays that may be written to and arrays that may not would be compiled for apart.
    samples.flags.writeable = False
    if out.size < _LARGE:
        return out if _gather(0, len(indices), samples, indices, shift, scale, rows) else None
    within = shared_out(
        lambda start, stop: _gather(start, stop, samples, indices, shift, scale, rows), len(indices)
    )
    return out if all(within) else None
