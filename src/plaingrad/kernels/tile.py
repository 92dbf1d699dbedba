"""The register tile: the one loop in which all matrix products and convolutions spend their time.

A tile of the result, ROWS × `width` numbers, stays in vector registers while products are added to it:

    tile[m, n] = start[m, n] + Σ_s Σ_k  a[rows[m] + segments[s] + k · step] · b[(s · K + k) · b_step + n]

For each k one row of b is loaded, and each number of a is multiplied with all of it.  `rows` says where the
rows of a begin: they are lines of a matrix, or pixels of an image whose patches then need not be cut out.
`segments` says where the runs of K numbers of a patch lie.  That makes the same tile a product of
matrices (one segment), a convolution (a segment for each line of the filter) and, with step the distance of
pixels, its weight gradient.

Neither Numba nor LLVM finds this loop by itself in what one would write in Python, so it is written here in
LLVM's own language: vectors of any width, which LLVM maps to the registers of the machine.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_features = llvmlite.binding.get_host_cpu_features()

# Of the vector registers ROWS · WIDE numbers are sums, one row of b and one number of a: 32 registers of 16
# (AVX-512), 16 of 8 (AVX2) or, as on ARM, 32 of 4 hold them.
ROWS, WIDE = (8, 32) if _features.get("avx512f") else (6, 16)

LOWEST = np.float32(-np.inf)
"""A `floor` that changes nothing."""

_INDEX, _LANE, _FLOAT = ir.IntType(64), ir.IntType(32), ir.FloatType()


def _tile(width: int) -> Any:
    """The tile of ROWS × `width` numbers, as a function for compiled kernels."""

    @intrinsic
    def tile(context, out, out_at, out_row, start, start_at, start_row,
             a, a_at, a_rows, rows_at, a_segments, a_step, b, b_at, b_step, steps, count, columns, floor):  # fmt: skip
        """out[out_at + m · out_row + n] = max(tile[m, n], floor) for m < `count` and n < `columns`.

        start[m, n] is start[start_at + m · start_row + n].  All arrays are float32 and contiguous; a's
        rows begin at a[a_at + a_rows[rows_at + m]].
        """
        index = types.intp
        signature = types.void(
            out, index, index, start, index, index, a, index, a_rows, index, a_segments, index,
            b, index, index, index, index, index, types.float32,
        )  # fmt: skip
        return signature, lambda *args: _generate(width, *args)

    return tile


def _generate(width: int, context: Any, builder: Any, signature: Any, args: Any) -> Any:
    """Write the loop, as LLVM's instructions."""
    (_, out_at, out_row, _, start_at, start_row, _, a_at, _, rows_at, _, a_step, _, b_at, b_step,
     steps, count, columns, floor) = args  # fmt: skip
    vector, mask_type = ir.VectorType(_FLOAT, width), ir.VectorType(ir.IntType(1), width)
    lanes = ir.VectorType(_LANE, width)
    zero, four = ir.Constant(vector, [0.0] * width), ir.Constant(_LANE, 4)  # aligned as single numbers are
    load_masked = _declared(builder, "load", vector, [vector.as_pointer(), _LANE, mask_type, vector], width)
    store_masked = _declared(
        builder, "store", ir.VoidType(), [vector, vector.as_pointer(), _LANE, mask_type], width
    )

    def memory(position: int) -> Any:
        return context.make_array(signature.args[position])(context, builder, args[position])

    def number(value: int) -> ir.Constant:
        return ir.Constant(_INDEX, value)

    def at(pointer: Any, index: Any) -> Any:
        return builder.bitcast(builder.gep(pointer, [index]), vector.as_pointer())

    def in_all_lanes(value: Any, kind: Any) -> Any:
        first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(_LANE, 0))
        return builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), ir.Constant(lanes, [0] * width))

    def load(pointer: Any, index: Any) -> Any:
        return builder.call(load_masked, [at(pointer, index), four, mask, zero])

    def phi(kind: Any, value: Any, block: Any) -> Any:
        made = builder.phi(kind)
        made.add_incoming(value, block)
        return made

    out_p, start_p, a_p, b_p = (memory(i).data for i in (0, 3, 6, 12))
    rows_p, segments = memory(8).data, memory(10)
    every_lane = ir.Constant(lanes, list(range(width)))
    mask = builder.icmp_signed("<", every_lane, in_all_lanes(builder.trunc(columns, _LANE), lanes))

    # Rows from `count` on are computed as copies of the last one, and not stored.
    last = builder.sub(count, number(1))
    chosen = [
        builder.select(builder.icmp_signed("<", number(m), count), number(m), last) for m in range(ROWS)
    ]
    begins = [builder.add(a_at, builder.load(builder.gep(rows_p, [builder.add(rows_at, m)]))) for m in chosen]

    entry = builder.block
    segment, step, next_segment, done = (
        builder.append_basic_block(name) for name in ("segment", "step", "next_segment", "done")
    )
    builder.branch(segment)

    builder.position_at_end(segment)
    s, b_segment = phi(_INDEX, number(0), entry), phi(_INDEX, b_at, entry)
    outer = [phi(vector, zero, entry) for _ in range(ROWS)]
    shift = builder.load(builder.gep(segments.data, [s]))
    pointers = [builder.gep(a_p, [builder.add(begin, shift)]) for begin in begins]
    builder.branch(step)

    builder.position_at_end(step)
    k, a_index, b_index = (phi(_INDEX, v, segment) for v in (number(0), number(0), b_segment))
    inner = [phi(vector, value, segment) for value in outer]
    row = load(b_p, b_index)
    added = []
    for pointer, value in zip(pointers, inner, strict=True):
        factor = in_all_lanes(builder.load(builder.gep(pointer, [a_index])), vector)
        # "contract": one rounding instead of two where the machine has such an instruction.
        product = builder.fmul(factor, row, flags=["contract"])
        added.append(builder.fadd(value, product, flags=["contract"]))
    following = (
        builder.add(k, number(1)),
        builder.add(a_index, a_step),
        builder.add(b_index, b_step),
        *added,
    )
    for variable, value in zip((k, a_index, b_index, *inner), following, strict=True):
        variable.add_incoming(value, step)
    builder.cbranch(builder.icmp_signed("<", following[0], steps), step, next_segment)

    builder.position_at_end(next_segment)
    s_next = builder.add(s, number(1))
    for variable, value in zip((s, b_segment, *outer), (s_next, following[2], *added), strict=True):
        variable.add_incoming(value, next_segment)
    several = builder.extract_value(segments.shape, 0)
    builder.cbranch(builder.icmp_signed("<", s_next, several), segment, done)

    builder.position_at_end(done)
    lowest = in_all_lanes(floor, vector)
    for m, products in enumerate(added):
        # What was there before is added last: a long sum made of short ones loses less to rounding.
        before = load(start_p, builder.add(start_at, builder.mul(chosen[m], start_row)))
        value = builder.fadd(before, products)
        # Put so that NaN, which is not below anything, stays.
        kept = builder.select(builder.fcmp_ordered("<", value, lowest), lowest, value)
        with builder.if_then(builder.icmp_signed("<", number(m), count)):
            target = at(out_p, builder.add(out_at, builder.mul(number(m), out_row)))
            builder.call(store_masked, [kept, target, four, mask])
    return context.get_dummy_value()


def _declared(builder: ir.IRBuilder, kind: str, result: Any, arguments: Any, width: int) -> Any:
    """LLVM's masked load or store, which leaves alone what lies behind the end of a row."""
    name = f"llvm.masked.{kind}.v{width}f32.p0"
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, arguments), name)


tile8, tile16 = _tile(8), _tile(16)
tile32 = _tile(32) if WIDE == 32 else tile16
