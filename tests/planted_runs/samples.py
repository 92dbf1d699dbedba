"""Planted: samples, labels and inputs that are not what they should be."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import plaingrad as pg

from .bases import (
    C_CONV,
    C_CONV_BN,
    C_LENET,
    C_MLP,
    C_STUDENT,
    D_BN,
    D_CONV,
    D_CONV_BN,
    D_DEEP,
    D_DROP,
    D_MLP,
    D_SGD,
    D_STUDENT,
    student,
)
from .plan import planted
from .sets import (
    CIFAR_LARGE,
    DIGITS_ALL,
    confused,
    copied_into_training,
    noisy,
    normalized_by,
    permuted,
    shifted,
    sorted_by_label,
    thinned,
)
from .students import Student


def in_order(size: int) -> Callable[[pg.Dataset], Callable[[int], np.ndarray]]:
    """Batches in the order of the file, the same in every epoch."""

    def sampler(data: pg.Dataset):
        steps = len(data.train) // size
        return lambda step: np.arange(step % steps * size, (step % steps + 1) * size)

    return sampler


def from_buffer(size: int, buffer: int) -> Callable[[pg.Dataset], Callable[[int], np.ndarray]]:
    """Batches in the order of the file, shuffled within stretches of `buffer` samples: a small shuffle buffer."""

    def sampler(data: pg.Dataset):
        count = len(data.train)
        steps = count // size

        def sample(step: int) -> np.ndarray:
            epoch, position = divmod(step, steps)
            rng = np.random.default_rng((epoch, 5))
            order = np.concatenate(
                [start + rng.permutation(min(buffer, count - start)) for start in range(0, count, buffer)]
            )
            return order[position * size : (position + 1) * size]

        return sample

    return sampler


LAST_CLASS = {"class_never_predicted": "after an epoch the network knows only the classes it saw last"}
_SORTED_DIGITS = DIGITS_ALL.but(sorted_by_label)
_SORTED_CIFAR = CIFAR_LARGE.but(sorted_by_label)
SHUFFLING = (
    planted("no_shuffling", D_MLP, "sorted", "class after class, in the file's order", also=LAST_CLASS,
            data=_SORTED_DIGITS, sampler=in_order(50), epochs=4,
            twin=D_MLP.plan.but(epochs=4)),
    planted("no_shuffling", D_CONV, "sorted", "class after class, in the file's order", also=LAST_CLASS,
            data=_SORTED_DIGITS, sampler=in_order(50), epochs=4,
            twin=D_CONV.plan.but(epochs=4)),
    planted("no_shuffling", D_DEEP, "buffer", "sorted samples through a shuffle buffer of 150", also=LAST_CLASS,
            data=_SORTED_DIGITS, sampler=from_buffer(50, 150), epochs=4,
            twin=D_DEEP.plan.but(epochs=4)),
    planted("no_shuffling", D_STUDENT, "sorted", "a user's model, class after class", also=LAST_CLASS,
            data=_SORTED_DIGITS, sampler=in_order(50), epochs=4,
            twin=D_STUDENT.plan.but(epochs=4)),
    planted("no_shuffling", D_SGD, "unsorted", "the same batches in each epoch, though of mixed classes",
            silent=True, sampler=in_order(50)),
    planted("no_shuffling", C_MLP, "sorted", "class after class, in the file's order", also=LAST_CLASS,
            data=_SORTED_CIFAR, sampler=in_order(100)),
    planted("no_shuffling", C_LENET, "buffer", "sorted samples through a shuffle buffer of 500",
            also=LAST_CLASS, data=_SORTED_CIFAR, sampler=from_buffer(50, 500)),
)  # fmt: skip

BLOWS_UP = {
    "learning_rate_too_high": "for inputs this large the rate is too high",
    "dead_relus": "steps in proportion to inputs this large push units below zero for good",
    "non_finite": "the divergence may end in NaN",
}
_SLOW = {"learning_rate_too_low": "for inputs this small the rate is too low"}
_BYTES = DIGITS_ALL.but(normalization="none")
_OTHERWISE = "training images standardised, the others only divided by 255"
INPUTS = (
    planted("unnormalized_input", D_MLP, "bytes", "bytes from 0 to 255", also=BLOWS_UP, data=_BYTES),
    planted("unnormalized_input", D_SGD, "bytes", "bytes from 0 to 255", also=BLOWS_UP, data=_BYTES),
    planted("unnormalized_input", D_STUDENT, "bytes", "bytes from 0 to 255, a user's model", also=BLOWS_UP,
            data=_BYTES),
    planted("unnormalized_input", D_CONV, "otherwise", _OTHERWISE,
            data=DIGITS_ALL.but(normalized_by(100, 0.01, parts=("train",)),
                                normalized_by(0, 1 / 255, parts=("validation", "test")), normalization=None)),
    planted("unnormalized_input", D_DEEP, "otherwise", _OTHERWISE,
            data=DIGITS_ALL.but(normalized_by(78, 1 / 96, parts=("train",)),
                                normalized_by(0, 1 / 255, parts=("validation", "test")), normalization=None)),
    planted("unnormalized_input", D_MLP, "twice", "divided by 255 twice", also=_SLOW,
            data=DIGITS_ALL.but(normalized_by(0, 1 / 255**2, parts=("train", "validation", "test")),
                                normalization=None)),
    planted("unnormalized_input", C_LENET, "bytes", "bytes from 0 to 255", also=BLOWS_UP,
            data=CIFAR_LARGE.but(normalization="none")),
    planted("unnormalized_input", C_MLP, "bytes", "bytes from 0 to 255", also=BLOWS_UP,
            data=CIFAR_LARGE.but(normalization="none")),
    planted("unnormalized_input", C_CONV, "twice", "divided by 255 twice", also=_SLOW,
            data=CIFAR_LARGE.but(normalized_by(0, 1 / 255**2, parts=("train", "validation", "test")),
                                 normalization=None)),
    planted("unnormalized_input", C_STUDENT, "otherwise", _OTHERWISE,
            data=CIFAR_LARGE.but(normalized_by(120, 1 / 64, parts=("train",)),
                                 normalized_by(0, 1 / 255, parts=("validation", "test")), normalization=None)),
)  # fmt: skip

BY_HEART = {"overfitting": "the wrong labels are learned by heart"}
NOISE = (
    planted("label_noise", D_MLP, "40", "40 % of the training labels wrong", also=BY_HEART,
            data=DIGITS_ALL.but(noisy(0.4))),
    planted("label_noise", D_DEEP, "50", "50 % of the training labels wrong", also=BY_HEART,
            data=DIGITS_ALL.but(noisy(0.5))),
    planted("label_noise", D_CONV_BN, "30", "30 % of the training labels wrong", also=BY_HEART,
            data=DIGITS_ALL.but(noisy(0.3))),
    planted("label_noise", D_STUDENT, "40", "a user's model, 40 % of the labels wrong, those of validation too",
            also=BY_HEART, data=DIGITS_ALL.but(noisy(0.4, parts=("train", "validation")))),
    planted("label_noise", D_DROP, "35", "35 % of the training labels wrong", also=BY_HEART,
            data=DIGITS_ALL.but(noisy(0.35))),
    planted("label_noise", C_LENET, "50", "50 % of the training labels wrong", also=BY_HEART,
            data=CIFAR_LARGE.but(noisy(0.5))),
    planted("label_noise", C_CONV, "40", "40 % of the labels wrong, those of validation too", also=BY_HEART,
            data=CIFAR_LARGE.but(noisy(0.4, parts=("train", "validation")))),
)  # fmt: skip

_ALL = ("train", "validation", "test")
ALIGNMENT = (
    planted("misaligned_labels", D_MLP, "permuted", "training images shuffled without their labels",
            data=DIGITS_ALL.but(permuted())),
    planted("misaligned_labels", D_BN, "shifted", "training labels one row late",
            data=DIGITS_ALL.but(shifted(1))),
    planted("misaligned_labels", D_CONV, "all", "all images shuffled without their labels",
            data=DIGITS_ALL.but(permuted(parts=_ALL))),
    planted("misaligned_labels", D_STUDENT, "shifted", "a user's model, all labels three rows late",
            data=DIGITS_ALL.but(shifted(3, parts=_ALL))),
    planted("misaligned_labels", C_MLP, "permuted", "training images shuffled without their labels",
            data=CIFAR_LARGE.but(permuted())),
    planted("misaligned_labels", C_LENET, "shifted", "all labels one row late",
            data=CIFAR_LARGE.but(shifted(1, parts=_ALL))),
)  # fmt: skip


class ShortOfOne(Student):
    """Its `predict` looks at all scores but the last: the class with the highest number is never said."""

    def predict(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(self.loss(X))[:, :-1].argmax(axis=1)


_ABSENT = {"class_imbalance": "a class without samples is the extreme of imbalance"}
CONFUSION = _ABSENT | {"label_noise": "the labels of that class are wrong"}
NEVER = (
    planted("class_never_predicted", D_MLP, "absent", "no nines among the training images", also=_ABSENT,
            data=DIGITS_ALL.but(thinned(lambda label: float(label != 9)))),
    planted("class_never_predicted", D_CONV, "relabelled", "all fours labelled as nines in training",
            also=CONFUSION, data=DIGITS_ALL.but(confused(4, 9, 1.0))),
    planted("class_never_predicted", D_STUDENT, "short-of-one", "a user's predict leaves the last class out",
            model=student(ShortOfOne)),
    planted("class_never_predicted", C_MLP, "absent", "no ships among the training images", also=_ABSENT,
            data=CIFAR_LARGE.but(thinned(lambda label: float(label != 8)))),
    planted("class_never_predicted", C_LENET, "relabelled", "all horses labelled as dogs in training",
            also=CONFUSION, data=CIFAR_LARGE.but(confused(7, 5, 1.0))),
)  # fmt: skip

RARE = {"class_never_predicted": "the rarest classes are not predicted any more"}
IMBALANCE = (
    planted("class_imbalance", D_MLP, "9-to-1", "nine of ten samples are of two classes", also=RARE,
            data=DIGITS_ALL.but(thinned(lambda label: 1.0 if label < 2 else 0.03))),
    planted("class_imbalance", D_CONV, "long-tail", "each class half as large as the one before", also=RARE,
            data=DIGITS_ALL.but(thinned(lambda label: 0.5**label))),
    planted("class_imbalance", D_BN, "long-tail-all", "a long tail, the validation images too", also=RARE,
            silent=True, data=DIGITS_ALL.but(thinned(lambda label: 0.6**label, parts=("train", "validation")))),
    planted("class_imbalance", D_STUDENT, "one-rules", "a user's model, one class with 130 samples and nine with 4",
            also=RARE, data=DIGITS_ALL.but(thinned(lambda label: 1.0 if label == 5 else 0.03))),
    planted("class_imbalance", C_MLP, "long-tail", "each class at six tenths of the one before", also=RARE,
            data=CIFAR_LARGE.but(thinned(lambda label: 0.6**label))),
    planted("class_imbalance", C_CONV_BN, "9-to-1", "nine of ten samples are of two classes", also=RARE,
            data=CIFAR_LARGE.but(thinned(lambda label: 1.0 if label < 2 else 0.028))),
)  # fmt: skip

LEAKS = (
    planted("test_data_in_training", D_MLP, "test", "all test images among the training images", silent=True,
            data=DIGITS_ALL.but(copied_into_training("test"))),
    planted("test_data_in_training", D_CONV, "validation", "all validation images among the training images",
            silent=True, data=DIGITS_ALL.but(copied_into_training("validation"))),
    planted("test_data_in_training", D_STUDENT, "third", "a third of the test images in a user's training set",
            silent=True, data=DIGITS_ALL.but(copied_into_training("test", 1 / 3))),
    planted("test_data_in_training", C_MLP, "test", "all test images among the training images", silent=True,
            data=CIFAR_LARGE.but(copied_into_training("test"))),
    planted("test_data_in_training", C_CONV, "half", "half of the validation images among the training images",
            silent=True, data=CIFAR_LARGE.but(copied_into_training("validation", 0.5))),
)  # fmt: skip

RUNS = (*SHUFFLING, *INPUTS, *NOISE, *ALIGNMENT, *NEVER, *IMBALANCE, *LEAKS)
