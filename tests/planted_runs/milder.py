"""Planted: the same conditions once more, on other networks and in milder forms."""

from __future__ import annotations

import numpy as np

import plaingrad as pg
from plaingrad.data import Augmentation, Crop

from .bases import (
    D_BN,
    D_CONV,
    D_CONV_BN,
    D_DEEP,
    D_DROP,
    D_MLP,
    D_SGD,
    D_SIGMOID,
    D_STUDENT,
    D_STUDENT_BN,
    D_TANH,
    mlp,
    stack,
    student,
)
from .layers import (
    AlwaysBatchNorm,
    AlwaysDropout,
    NeverReset,
    Softmax,
    SummedCrossEntropy,
    ZeroGradientAffine,
)
from .mistakes import (
    FALLS,
    TOO_LARGE,
    WILD,
    dense,
    wrapped,
)
from .plan import planted
from .rates import KILLED, LONGER, RISES, stalls
from .samples import BLOWS_UP, BY_HEART, CONFUSION, LAST_CLASS, RARE, from_buffer, in_order
from .sets import (
    DIGITS_ALL,
    confused,
    copied_into_training,
    first,
    noisy,
    normalized_by,
    permuted,
    shifted,
    sorted_by_label,
    thinned,
)
from .signals import BOUND, FADES, GROWS, SCALE, shifted_biases
from .students import (
    AlwaysTraining,
    BatchStatistics,
    ForgetsLayer,
    LogOfZero,
    RawLikelihood,
    SoftmaxTwice,
    Student,
    SummedGradient,
)

_SORTED = DIGITS_ALL.but(sorted_by_label)
_BYTES = DIGITS_ALL.but(normalization="none")

RATES = (
    planted("learning_rate_too_low", D_TANH, "50th", "learning rate 1/50 of the good one", also=LONGER,
            rule=pg.Momentum(4e-4)),
    planted("learning_rate_too_low", D_CONV, "sgd-1e-4", "SGD at 1e-4", also=LONGER, rule=pg.SGD(1e-4)),
    planted("learning_rate_too_low", D_DROP, "adam-1e-5", "Adam at 1e-5", also=LONGER, rule=pg.Adam(1e-5)),
    planted("learning_rate_too_high", D_TANH, "50-fold", "learning rate 50 times the good one",
            also={"saturated_units": "steps this large push units to their bounds"}, rule=pg.Momentum(1.0)),
    planted("learning_rate_too_high", D_DROP, "adam-0.1", "Adam at 0.1", also=KILLED, rule=pg.Adam(0.1)),
    planted("learning_rate_too_high", D_DEEP, "sgd-2", "SGD at 2, which diverges",
            also=KILLED | RISES | {"non_finite": "the divergence ends in NaN"}, rule=pg.SGD(2.0)),
    planted("stopped_too_early", D_TANH, "2-epochs", "two epochs", epochs=2, rule=pg.Momentum(0.005),
            twin=D_TANH.plan.but(rule=pg.Momentum(0.005), epochs=20)),
    planted("stopped_too_early", D_SIGMOID, "3-epochs", "three epochs", epochs=3, rule=pg.Adam(1e-3),
            twin=D_SIGMOID.plan.but(rule=pg.Adam(1e-3), epochs=40)),
    planted("stopped_too_early", D_DROP, "1-epoch", "one epoch", epochs=1),
    stalls(D_TANH, "batch-5", "a large constant rate and batches of 5 on distorted digits", rule=pg.Momentum(0.03),
           batch_size=5, epochs=20, augmentation=Augmentation(Crop(1))),
)  # fmt: skip

SIGNALS = (
    planted("vanishing_gradients", D_TANH, "12-deep", "twelve tanh layers at a third of Xavier's scale", also=SCALE,
            model=mlp([40] * 12, activation="tanh", weight_init=pg.Normal(0.05))),
    planted("vanishing_gradients", D_SIGMOID, "5-deep", "five sigmoid layers with SGD", model=mlp(
            [50] * 5, activation="sigmoid", weight_init=pg.Xavier()), rule=pg.SGD(0.05)),
    planted("exploding_gradients", D_DEEP, "14-deep", "fourteen ReLU layers at 1.6 times He's scale", also=SCALE,
            model=mlp([50] * 14, weight_init=pg.Normal(1.6 * np.sqrt(2 / 50)))),
    planted("exploding_gradients", D_STUDENT, "10-deep", "a user's ten layers at 1.8 times He's scale", also=SCALE,
            model=student(Student, (50,) * 10, scale=1.8), rule=pg.Adam(1e-3)),
    planted("dead_relus", D_BN, "beta", "the biases of the first batch norm start at -5",
            model=shifted_biases(mlp([64, 64], normalization="batchnorm"), 5, "batchnorm1.bias")),
    planted("dead_relus", D_DROP, "bias", "the biases of the first hidden layer start at -8",
            model=shifted_biases(mlp([128, 128], dropout=0.3), 8, "affine1.bias")),
    planted("saturated_units", D_SIGMOID, "normal-5", "sigmoid units from N(0, 5²)", also=SCALE,
            model=mlp([64], activation="sigmoid", weight_init=pg.Normal(5)), rule=pg.Momentum(0.02)),
    planted("saturated_units", D_TANH, "normal-1", "three layers of tanh units from N(0, 1)", also=SCALE,
            model=mlp([80] * 3, activation="tanh", weight_init=pg.Normal(1)), rule=pg.Adam(5e-4)),
    planted("bad_initial_scale", D_TANH, "normal-1e-5", "tanh layers from N(0, 1e-5²)", also=FADES,
            model=mlp([64, 64], activation="tanh", weight_init=pg.Normal(1e-5))),
    planted("bad_initial_scale", D_DEEP, "normal-0.8", "four layers from N(0, 0.8²)", also=GROWS | BOUND,
            model=mlp([64] * 3, weight_init=pg.Normal(0.8))),
)  # fmt: skip

FITTING = (
    planted("overfitting", D_TANH, "60-images", "60 images", epochs=100, data=DIGITS_ALL.but(first(60)), batch_size=20),
    planted("overfitting", D_SGD, "50-images", "50 images", epochs=150, data=DIGITS_ALL.but(first(50)), batch_size=10),
    planted("overfitting", D_BN, "60-images", "60 images with batch norm", epochs=80, data=DIGITS_ALL.but(first(60)),
            batch_size=20),
    planted("too_little_capacity", D_SIGMOID, "2-units", "two sigmoid units", epochs=40,
            model=mlp([2], activation="sigmoid", weight_init=pg.Xavier()), rule=pg.Adam(1e-2)),
    planted("too_little_capacity", D_BN, "1-unit", "two layers of one unit, with batch norm", epochs=30,
            model=mlp([1, 1], normalization="batchnorm")),
    planted("too_much_regularization", D_TANH, "l2-0.3", "an L2 strength of 0.3",
            model=mlp([64, 64], activation="tanh", weight_init=pg.Xavier(), reg=0.3)),
    planted("too_much_regularization", D_SGD, "decay-1", "a weight decay of 1 at a rate of 0.1",
            rule=pg.SGD(0.1, weight_decay=1.0)),
    planted("too_much_regularization", D_DROP, "dropout-0.9", "90 % of the units dropped, in two layers",
            model=mlp([64, 64], dropout=0.9)),
)  # fmt: skip

SAMPLES = (
    planted("no_shuffling", D_TANH, "sorted", "class after class", also=LAST_CLASS, data=_SORTED, epochs=2,
            twin=D_TANH.plan.but(epochs=2),
            sampler=in_order(50)),
    planted("no_shuffling", D_BN, "sorted", "class after class, with batch norm", also=LAST_CLASS, data=_SORTED,
            sampler=in_order(50), epochs=4,
            twin=D_BN.plan.but(epochs=4)),
    planted("no_shuffling", D_CONV_BN, "buffer", "sorted samples through a shuffle buffer of 130", also=LAST_CLASS,
            data=_SORTED, sampler=from_buffer(50, 130), epochs=4,
            twin=D_CONV_BN.plan.but(epochs=4)),
    planted("unnormalized_input", D_SIGMOID, "bytes", "bytes from 0 to 255 into sigmoid units",
            also=BLOWS_UP | {"saturated_units": "inputs this large push units to their bounds"}, data=_BYTES),
    planted("unnormalized_input", D_TANH, "otherwise", "validation images as bytes, training images standardised",
            data=DIGITS_ALL.but(normalized_by(78, 1 / 96, parts=("train",)),
                                normalized_by(0, 1, parts=("validation", "test")), normalization=None)),
    planted("label_noise", D_SGD, "30", "30 % of the training labels wrong", also=BY_HEART,
            data=DIGITS_ALL.but(noisy(0.3)), epochs=40),
    planted("label_noise", D_BN, "45", "45 % of the training labels wrong", also=BY_HEART,
            data=DIGITS_ALL.but(noisy(0.45)), epochs=20),
    planted("label_noise", D_TANH, "pairs", "half of the fours labelled nine, half of the threes labelled eight",
            also=BY_HEART, data=DIGITS_ALL.but(confused(4, 9, 0.5), confused(3, 8, 0.5))),
    planted("misaligned_labels", D_SGD, "shifted", "training labels two rows late", data=DIGITS_ALL.but(shifted(2))),
    planted("misaligned_labels", D_CONV_BN, "permuted", "training images shuffled without their labels",
            data=DIGITS_ALL.but(permuted())),
    planted("class_never_predicted", D_SGD, "absent", "no zeros among the training images",
            also={"class_imbalance": "a class without samples is the extreme of imbalance"},
            data=DIGITS_ALL.but(thinned(lambda label: float(label != 0)))),
    planted("class_never_predicted", D_BN, "relabelled", "all threes labelled as eights in training", also=CONFUSION,
            data=DIGITS_ALL.but(confused(3, 8, 1.0))),
    planted("class_imbalance", D_SGD, "half", "five classes with 3 % of their samples", also=RARE,
            data=DIGITS_ALL.but(thinned(lambda label: 1.0 if label < 5 else 0.03))),
    planted("class_imbalance", D_TANH, "tail", "each class at six tenths of the one before", also=RARE,
            data=DIGITS_ALL.but(thinned(lambda label: 0.6**label))),
    planted("test_data_in_training", D_DEEP, "tenth", "a tenth of the test images in training", silent=True,
            data=DIGITS_ALL.but(copied_into_training("test", 0.1))),
    planted("test_data_in_training", D_BN, "half", "half of the validation images in training", silent=True,
            data=DIGITS_ALL.but(copied_into_training("validation", 0.5))),
)  # fmt: skip

MISTAKES = (
    planted("batch_too_small_for_batchnorm", D_BN, "3", "batches of 3", batch_size=3, epochs=3, rule=pg.Momentum(0.02)),
    planted("batchnorm_in_training_mode", D_STUDENT_BN, "one", "a user's model of one layer", silent=True,
            model=student(AlwaysTraining, (40,), batchnorm=True), rule=pg.Adam(2e-3)),
    planted("batchnorm_in_training_mode", D_CONV_BN, "layer", "a user's layer in a convnet", silent=True,
            model=stack(pg.Conv2d(8, 3, padding=1), AlwaysBatchNorm(), pg.ReLU(), pg.MaxPool2d(2), pg.Flatten(),
                        pg.Affine(10))),
    planted("batchnorm_in_training_mode", D_STUDENT_BN, "deep", "a user's three layers", silent=True,
            model=student(BatchStatistics, (40, 40, 40), batchnorm=True)),
    planted("dropout_at_evaluation", D_STUDENT, "little", "a user's model that drops a tenth always", silent=True,
            model=student(AlwaysTraining, (64,), dropout=0.1)),
    planted("dropout_at_evaluation", D_TANH, "layer", "a user's layer that drops always", silent=True,
            model=dense(64, between=(pg.Tanh(), AlwaysDropout(0.3)))),
    planted("nll_of_raw_scores", D_TANH, "network", "no log-softmax before the likelihood", also=FALLS, silent=True,
            model=mlp([64, 64], activation="tanh", objective=pg.NegativeLogLikelihood())),
    planted("nll_of_raw_scores", D_STUDENT, "adam", "a user's model, with Adam", also=FALLS,
            model=student(RawLikelihood, (40, 40)), rule=pg.Adam(1e-4)),
    planted("softmax_twice", D_TANH, "layer", "a softmax layer before the cross-entropy", silent=True,
            model=dense(64, between=(pg.Tanh(),), last=(Softmax(),))),
    planted("softmax_twice", D_STUDENT, "adam", "a user's model, with Adam", silent=True,
            model=student(SoftmaxTwice, (40, 40)), rule=pg.Adam(1e-3)),
    planted("loss_not_averaged", D_TANH, "objective", "a user's objective sums over the batch",
            also=TOO_LARGE | {"saturated_units": "steps this large push units to their bounds"},
            model=mlp([64, 64], activation="tanh", objective=SummedCrossEntropy())),
    planted("loss_not_averaged", D_STUDENT, "gradient-adam", "a user's gradient is of the sum, with Adam", silent=True,
            model=student(SummedGradient), rule=pg.Adam(1e-3)),
    planted("gradients_not_reset", D_TANH, "wrapper", "a wrapper that adds to the gradients before",
            also=WILD | {"saturated_units": "steps this large push units to their bounds"},
            model=wrapped(NeverReset, mlp([64, 64], activation="tanh"))),
    planted("gradients_not_reset", D_DEEP, "low-rate", "the same at a low rate", also=WILD, silent=True,
            model=wrapped(NeverReset, mlp([64, 64, 64])), rule=pg.SGD(1e-4)),
    planted("frozen_layers", D_BN, "factors", "a factor of 0 on the second layer's rate", silent=True,
            more={"lr_factors": {"affine2": 0}}),
    planted("frozen_layers", D_TANH, "last", "a user's last layer returns zeros for its gradients", silent=True,
            model=stack(pg.Flatten(), pg.Affine(64), pg.Tanh(), ZeroGradientAffine(10))),
    planted("frozen_layers", D_STUDENT, "deep", "a user's gradient of the first of three layers is zero", silent=True,
            model=student(ForgetsLayer, (48, 48))),
    planted("non_finite", D_SGD, "rate", "SGD at 1e5", rule=pg.SGD(1e5),
            also={"learning_rate_too_high": "the rate is the cause"}),
    planted("non_finite", D_STUDENT, "log-0-late", "a user's logarithm of 0, after some steps at a high rate",
            also={"learning_rate_too_high": "the rate makes the scores large enough"},
            model=student(LogOfZero, (64, 64)), rule=pg.Momentum(0.5)),
    planted("non_finite", D_MLP, "adam", "Adam at 1e20", rule=pg.Adam(1e20),
            also={"learning_rate_too_high": "the rate is the cause"}),
)  # fmt: skip

RUNS = (*RATES, *SIGNALS, *FITTING, *SAMPLES, *MISTAKES)
