"""Vectors of LANES float32 numbers for compiled kernels, where LLVM would not find by itself what to join.

`load` and `store` take the numbers of an array from an index on, `count` of them at most: the rest are
zeros, and stay as they were.  Vectors add, subtract and multiply with each other and with single numbers.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.extending import intrinsic as untyped_intrinsic
from numba.extending import overload, register_model

LANES = 16

# What it makes of a function has not that function's parameters: the first is Numba's own.
intrinsic: Any = untyped_intrinsic

_INT32, _FLOAT = ir.IntType(32), ir.FloatType()
VECTOR, MASK = ir.VectorType(_FLOAT, LANES), ir.VectorType(ir.IntType(1), LANES)


class Vector(types.Type):
    """The type of a vector, as compiled functions see it."""

    def __init__(self) -> None:
        super().__init__(name=f"float32x{LANES}")


_vector = Vector()


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    """A vector is one value of LLVM, kept in registers."""

    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, VECTOR)


def _in_all_lanes(builder: ir.IRBuilder, value: Any, kind: ir.VectorType) -> Any:
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(_INT32, 0))
    lanes = ir.Constant(ir.VectorType(_INT32, LANES), [0] * LANES)
    return builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), lanes)


def _place(context: Any, builder: ir.IRBuilder, kind: Any, array: Any, index: Any, count: Any) -> Any:
    """A pointer to the vector at array[index], and which of its lanes are below `count`."""
    pointer = builder.gep(context.make_array(kind)(context, builder, array).data, [index])
    lanes = ir.VectorType(_INT32, LANES)
    below = _in_all_lanes(builder, builder.trunc(count, _INT32), lanes)
    mask = builder.icmp_signed("<", ir.Constant(lanes, list(range(LANES))), below)
    return builder.bitcast(pointer, VECTOR.as_pointer()), mask


def _masked(builder: ir.IRBuilder, kind: str, result: Any, arguments: list[Any]) -> Any:
    name = f"llvm.masked.{kind}.v{LANES}f32.p0"
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, arguments), name)


_ALIGNED = ir.Constant(_INT32, 4)  # as single numbers are


@intrinsic
def load(context, array, index, count):
    """The vector at array[index]; lanes from `count` on are 0."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer, mask = _place(context, builder, signature.args[0], *args)
        function = _masked(builder, "load", VECTOR, [VECTOR.as_pointer(), _INT32, MASK, VECTOR])
        return builder.call(function, [pointer, _ALIGNED, mask, ir.Constant(VECTOR, [0.0] * LANES)])

    return _vector(array, types.intp, types.intp), generate


@intrinsic
def store(context, array, index, count, value):
    """Write the first `count` lanes of a vector to array[index]."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer, mask = _place(context, builder, signature.args[0], *args[:3])
        function = _masked(builder, "store", ir.VoidType(), [VECTOR, VECTOR.as_pointer(), _INT32, MASK])
        builder.call(function, [args[3], pointer, _ALIGNED, mask])
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, _vector), generate


@intrinsic
def splat(context, value):
    """A vector of one number."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _in_all_lanes(builder, args[0], VECTOR)

    return _vector(types.float32), generate


@intrinsic
def at_least(context, value, floor):
    """Lanes below `floor` replaced by it; NaN stays."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        lowest = _in_all_lanes(builder, args[1], VECTOR)
        return builder.select(builder.fcmp_ordered("<", args[0], lowest), lowest, args[0])

    return _vector(_vector, types.float32), generate


def _arithmetic(function: Any, instruction: str) -> None:
    """Define an operator on vectors, and on a number and a vector."""

    @intrinsic
    def combine(context, a, b):
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return getattr(builder, instruction)(*args, flags=["contract"])

        return _vector(_vector, _vector), generate

    @overload(function)
    def define(a, b):
        if isinstance(a, Vector) and isinstance(b, Vector):
            return lambda a, b: combine(a, b)
        if isinstance(a, types.Float) and isinstance(b, Vector):
            return lambda a, b: combine(splat(a), b)
        return None


for _function, _instruction in ((operator.add, "fadd"), (operator.sub, "fsub"), (operator.mul, "fmul")):
    _arithmetic(_function, _instruction)


@intrinsic
def where_larger(context, seen, best, yes, no):
    """`yes` in the lanes where `seen` is larger than `best`, or is NaN and `best` is not; `no` in the others."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        larger = builder.fcmp_unordered(">", args[0], args[1])
        return builder.select(builder.and_(larger, builder.fcmp_ordered("ord", args[1], args[1])), *args[2:])

    return _vector(_vector, _vector, _vector, _vector), generate


@intrinsic
def where_equal(context, a, b, yes, no):
    """`yes` in the lanes where a = b, `no` in the others."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered("==", args[0], args[1]), *args[2:])

    return _vector(_vector, _vector, _vector, _vector), generate


_BYTES = ir.VectorType(ir.IntType(8), LANES)


def _masked_bytes(builder: ir.IRBuilder, kind: str, result: Any, arguments: list[Any]) -> Any:
    name = f"llvm.masked.{kind}.v{LANES}i8.p0"
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, arguments), name)


@intrinsic
def load_bytes(context, array, index, count):
    """As `load`, from an array of bytes."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer, mask = _place(context, builder, signature.args[0], *args)
        pointer = builder.bitcast(pointer, _BYTES.as_pointer())
        function = _masked_bytes(builder, "load", _BYTES, [_BYTES.as_pointer(), _INT32, MASK, _BYTES])
        one = ir.Constant(_INT32, 1)
        return builder.uitofp(
            builder.call(function, [pointer, one, mask, ir.Constant(_BYTES, [0] * LANES)]), VECTOR
        )

    return _vector(array, types.intp, types.intp), generate


@intrinsic
def store_bytes(context, array, index, count, value):
    """As `store`, to an array of bytes; lanes hold whole numbers from 0 to 255."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer, mask = _place(context, builder, signature.args[0], *args[:3])
        pointer = builder.bitcast(pointer, _BYTES.as_pointer())
        function = _masked_bytes(builder, "store", ir.VoidType(), [_BYTES, _BYTES.as_pointer(), _INT32, MASK])
        numbers = builder.fptoui(args[3], _BYTES)
        builder.call(function, [numbers, pointer, ir.Constant(_INT32, 1), mask])
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, _vector), generate
