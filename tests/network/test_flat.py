"""FlatDict: names on the outside, one buffer on the inside."""

import copy
import pickle

import numpy as np
import pytest

from plaingrad.errors import ShapeError
from plaingrad.network import FlatDict

SHAPES = {"a.weight": (2, 3), "a.bias": (3,), "b.weight": (3, 1), "b.bias": (1,)}


@pytest.fixture
def made():
    flat = FlatDict(SHAPES, np.float64, first={"a.weight", "b.weight"})
    flat.flat[:] = np.arange(13)
    return flat


def test_arrays_are_views_of_the_buffer(made):
    made["a.bias"][1] = -1
    assert -1 in made.flat
    made.flat[:] = 7
    assert all((array == 7).all() for array in made.values())
    assert {name: array.shape for name, array in made.items()} == SHAPES


def test_names_keep_their_order_and_the_first_ones_lie_in_front(made):
    assert list(made) == list(SHAPES)
    assert made.size_first == 9
    np.testing.assert_array_equal(made["a.weight"].ravel(), np.arange(6))
    np.testing.assert_array_equal(made["b.weight"].ravel(), [6, 7, 8])
    np.testing.assert_array_equal(made["a.bias"], [9, 10, 11])
    np.testing.assert_array_equal(made["b.bias"], [12])


def test_groups_are_the_same_arrays_by_layer(made):
    assert list(made.groups) == ["a", "b"]
    made.groups["b"]["weight"][...] = 5
    assert (made["b.weight"] == 5).all()


def test_assigning_copies_into_the_buffer(made):
    view, value = made["a.bias"], np.array([1.0, 2.0, 3.0])
    made["a.bias"] = value
    value[:] = 0
    assert made["a.bias"] is view
    assert view.tolist() == [1, 2, 3]


def test_assigning_what_does_not_fit_is_refused(made):
    with pytest.raises(ShapeError, match=r"a\.bias has shape \(3,\).*\(1,\)"):
        made["a.bias"] = np.ones(1)
    with pytest.raises(KeyError, match=r"no array named 'c'.*a\.weight, a\.bias"):
        made["c"] = np.ones(1)
    with pytest.raises(ShapeError, match=r"unknown \['c'\], missing \['b\.bias'\]"):
        made.assign({"a.weight": 0, "a.bias": 0, "b.weight": 0, "c": 0})
    assert made.flat.tolist() == list(range(13)), "a refused assignment must change nothing"


def test_an_update_that_does_not_fit_changes_nothing(made):
    with pytest.raises(ShapeError):
        made.update({"a.bias": np.zeros(3), "b.bias": np.zeros(2)})
    assert made.flat.tolist() == list(range(13))


def test_updates_copy_into_the_buffer(made):
    made.update({"a.bias": [1.0, 2.0, 3.0]})
    made |= {"b.bias": np.array([-5.0])}
    assert made["a.bias"].tolist() == [1, 2, 3]
    assert all(np.shares_memory(array, made.flat) for array in made.values())
    assert made.flat.tolist()[-4:] == [1, 2, 3, -5]


def test_assign_copies_every_value(made):
    other = FlatDict(SHAPES, np.float64)  # another layout
    other.assign(made)
    assert all((other[name] == made[name]).all() for name in SHAPES)
    assert other.flat.tolist() != made.flat.tolist()


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("a.bias"),
        lambda d: d.popitem(),
        lambda d: d.clear(),
        lambda d: d.setdefault("c", np.zeros(3)),
        lambda d: d.__delitem__("a.bias"),
    ],
    ids=["pop", "popitem", "clear", "setdefault", "del"],
)
def test_names_are_fixed(made, change):
    with pytest.raises(TypeError, match="fixed"):
        change(made)
    assert list(made) == list(SHAPES)
    assert np.shares_memory(made["a.bias"], made.flat)


@pytest.mark.parametrize(
    "duplicate",
    [copy.copy, copy.deepcopy, FlatDict.copy, lambda d: pickle.loads(pickle.dumps(d))],  # noqa: S301
    ids=["copy.copy", "deepcopy", "copy", "pickle"],
)
def test_copies_have_a_buffer_of_their_own(made, duplicate):
    other = duplicate(made)
    assert type(other) is FlatDict
    assert other.flat.tolist() == made.flat.tolist()
    assert other.size_first == made.size_first
    assert all(np.shares_memory(array, other.flat) for array in other.values())
    other.flat[:] = -1
    assert made.flat.tolist() == list(range(13))


def test_like_and_copy_change_the_dtype(made):
    assert made.like().flat.dtype == np.float64
    assert made.like(np.float32).flat.dtype == np.float32
    single = made.copy(np.float32)
    assert single.flat.dtype == np.float32
    np.testing.assert_array_equal(single["a.weight"], made["a.weight"])


def test_an_empty_one_is_possible():
    empty = FlatDict({})
    assert empty.flat.size == 0
    assert empty.copy() == {}
