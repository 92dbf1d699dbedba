"""Planted: mistakes in models and in how they are evaluated."""

from __future__ import annotations

import plaingrad as pg

from .bases import (
    C_BN,
    C_CONV,
    C_CONV_BN,
    C_LENET,
    C_MLP,
    C_STUDENT,
    C_STUDENT_BN,
    D_BN,
    D_CONV,
    D_DEEP,
    D_DROP,
    D_MLP,
    D_SGD,
    D_STUDENT,
    D_STUDENT_BN,
    D_STUDENT_DROP,
    convnet,
    mlp,
    network,
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
    ZeroGradientConv2d,
)
from .plan import planted
from .students import (
    AlwaysTraining,
    BatchStatistics,
    ForgetsLayer,
    RawLikelihood,
    SoftmaxTwice,
    Summed,
    SummedGradient,
)
from .students import (
    NeverReset as NeverResetStudent,
)


def dense(*hidden: int, between: tuple[pg.Layer, ...] = (), last: tuple[pg.Layer, ...] = (), **settings):
    """{affine – `between`} for each of `hidden`, affine to 10, `last`."""
    layers = [layer for units in hidden for layer in (pg.Affine(units), *between)]
    return stack(pg.Flatten(), *layers, pg.Affine(10), *last, **settings)


def wrapped(kind, make):
    """The model of `make` inside a user's own."""
    return lambda data, seed: kind(make(data, seed))


TINY_BATCHES = (
    planted("batch_too_small_for_batchnorm", D_BN, "2", "batches of 2", batch_size=2, epochs=3),
    planted("batch_too_small_for_batchnorm", D_BN, "4", "batches of 4", batch_size=4, epochs=5, rule=pg.Adam(1e-3)),
    planted("batch_too_small_for_batchnorm", D_STUDENT_BN, "2", "a user's model with batches of 2", batch_size=2,
            epochs=3, rule=pg.Momentum(0.002)),
    planted("batch_too_small_for_batchnorm", D_BN, "micro", "batches of 32 in 16 micro-batches of 2",
            batch_size=32, more={"accumulate": 16}, epochs=10),
    planted("batch_too_small_for_batchnorm", C_BN, "2", "batches of 2", batch_size=2, epochs=0.5),
    planted("batch_too_small_for_batchnorm", C_STUDENT_BN, "2", "a user's model with batches of 2", batch_size=2,
            epochs=0.5, rule=pg.Momentum(1e-3)),
)  # fmt: skip

TRAINING_MODE = (
    planted("batchnorm_in_training_mode", D_STUDENT_BN, "always", "a user's model that evaluates as it trains",
            silent=True, model=student(AlwaysTraining, (64, 64), batchnorm=True)),
    planted("batchnorm_in_training_mode", D_STUDENT_BN, "statistics", "a user's model that keeps no statistics",
            silent=True, model=student(BatchStatistics, (64,), batchnorm=True)),
    planted("batchnorm_in_training_mode", D_BN, "layer", "a user's layer that takes the batch's statistics always",
            silent=True, model=dense(64, 64, between=(AlwaysBatchNorm(), pg.ReLU()))),
    planted("batchnorm_in_training_mode", C_STUDENT_BN, "always", "a user's model that evaluates as it trains",
            silent=True, model=student(AlwaysTraining, (50,), batchnorm=True, reg=1e-2)),
    planted("batchnorm_in_training_mode", C_CONV_BN, "layer", "a user's layer that takes the batch's statistics always",
            silent=True, model=stack(pg.Conv2d(8, 3, padding=1), AlwaysBatchNorm(), pg.ReLU(), pg.MaxPool2d(2),
                                     pg.Conv2d(16, 3, padding=1), AlwaysBatchNorm(), pg.ReLU(), pg.MaxPool2d(2),
                                     pg.Flatten(), pg.Affine(10))),
)  # fmt: skip

DROPPED = (
    planted("dropout_at_evaluation", D_STUDENT_DROP, "always", "a user's model that evaluates as it trains",
            silent=True, model=student(AlwaysTraining, (128,), dropout=0.4)),
    planted("dropout_at_evaluation", D_DROP, "layer", "a user's layer that drops always", silent=True,
            model=dense(128, 128, between=(pg.ReLU(), AlwaysDropout(0.5)))),
    planted("dropout_at_evaluation", D_CONV, "layer", "a user's layer that drops always, in a convnet", silent=True,
            model=stack(*convnet(8, 16, hidden=32)[:-1], AlwaysDropout(0.5), pg.Affine(10))),
    planted("dropout_at_evaluation", C_STUDENT, "always", "a user's model that evaluates as it trains", silent=True,
            model=student(AlwaysTraining, (80,), dropout=0.4)),
    planted("dropout_at_evaluation", C_LENET, "layer", "a user's layer that drops always", silent=True,
            model=stack(*convnet(8, 16), AlwaysDropout(0.2))),
)  # fmt: skip

FALLS = {"non_finite": "the loss falls without bound until it overflows"}
_NLL = pg.NegativeLogLikelihood()
RAW_SCORES = (
    planted("nll_of_raw_scores", D_MLP, "network", "no log-softmax before the negative log-likelihood", also=FALLS,
            model=mlp([64], objective=_NLL)),
    planted("nll_of_raw_scores", D_CONV, "adam", "no log-softmax before it, in a convnet", also=FALLS,
            model=stack(*convnet(8, 16, hidden=32), objective=_NLL)),
    planted("nll_of_raw_scores", D_STUDENT, "user", "a user's model without the log-softmax", also=FALLS,
            model=student(RawLikelihood)),
    planted("nll_of_raw_scores", D_SGD, "sgd", "no log-softmax before it, with SGD at a low rate", also=FALLS,
            model=mlp([50], objective=_NLL), rule=pg.SGD(0.003)),
    planted("nll_of_raw_scores", C_LENET, "adam", "no log-softmax before it", also=FALLS,
            model=network(pg.LeNet, objective=_NLL)),
    planted("nll_of_raw_scores", C_STUDENT, "user", "a user's model without the log-softmax", also=FALLS,
            model=student(RawLikelihood, (80,)), rule=pg.SGD(0.001)),
)  # fmt: skip

TWICE = (
    planted("softmax_twice", D_MLP, "layer", "a softmax layer before the cross-entropy",
            model=dense(64, between=(pg.ReLU(),), last=(Softmax(),))),
    planted("softmax_twice", D_DEEP, "adam", "a softmax layer before the cross-entropy, with Adam", silent=True,
            model=dense(64, 64, 64, between=(pg.ReLU(),), last=(Softmax(),))),
    planted("softmax_twice", D_STUDENT, "user", "a user's model with two softmaxes", model=student(SoftmaxTwice)),
    planted("softmax_twice", D_CONV, "layer", "a softmax layer at the end of a convnet", silent=True,
            model=stack(*convnet(8, 16, hidden=32), Softmax())),
    planted("softmax_twice", C_MLP, "layer", "a softmax layer before the cross-entropy",
            model=dense(100, between=(pg.ReLU(),), last=(Softmax(),))),
    planted("softmax_twice", C_STUDENT, "user", "a user's model with two softmaxes",
            model=student(SoftmaxTwice, (80,))),
)  # fmt: skip

TOO_LARGE = {
    "learning_rate_too_high": "with gradients a batch size too large, the rate is a batch size too high",
    "dead_relus": "steps this large push units below zero for good",
    "non_finite": "the divergence may end in NaN",
}
SUMS = (
    planted("loss_not_averaged", D_STUDENT, "sum", "a user's loss is a sum over the batch", also=TOO_LARGE,
            model=student(Summed)),
    planted("loss_not_averaged", D_STUDENT, "sum-low-rate", "a user's loss is a sum, the rate made to fit",
            silent=True, model=student(Summed), rule=pg.Momentum(4e-4)),
    planted("loss_not_averaged", D_MLP, "objective", "a user's objective sums over the batch", also=TOO_LARGE,
            model=mlp([64], objective=SummedCrossEntropy())),
    planted("loss_not_averaged", D_DEEP, "adam", "a user's objective sums over the batch, with Adam", silent=True,
            model=mlp([64, 64, 64], objective=SummedCrossEntropy())),
    planted("loss_not_averaged", D_STUDENT, "gradient", "a user's gradient is of the sum, the loss a mean",
            also=TOO_LARGE, model=student(SummedGradient)),
    planted("loss_not_averaged", C_STUDENT, "sum", "a user's loss is a sum over the batch", also=TOO_LARGE,
            model=student(Summed, (80,))),
    planted("loss_not_averaged", C_CONV, "objective", "a user's objective sums over the batch", also=TOO_LARGE,
            model=stack(*convnet(8, 16), objective=SummedCrossEntropy())),
)  # fmt: skip

WILD = {
    "learning_rate_too_high": "with gradients that pile up, steps grow as with a rate too high",
    "exploding_gradients": "the gradients that pile up grow step by step",
    "dead_relus": "steps this large push units below zero for good",
    "non_finite": "the divergence may end in NaN",
}
NOT_RESET = (
    planted("gradients_not_reset", D_STUDENT, "user", "a user's model adds to the gradients before", also=WILD,
            model=student(NeverResetStudent)),
    planted("gradients_not_reset", D_SGD, "sgd", "a wrapper that adds to the gradients before, with SGD", also=WILD,
            model=wrapped(NeverReset, mlp([50]))),
    planted("gradients_not_reset", D_CONV, "adam", "a wrapper that adds to the gradients before, with Adam",
            also=WILD, model=wrapped(NeverReset, stack(*convnet(8, 16, hidden=32)))),
    planted("gradients_not_reset", D_BN, "adam", "the same around a network with batch norm", also=WILD,
            model=wrapped(NeverReset, mlp([64, 64], normalization="batchnorm"))),
    planted("gradients_not_reset", C_STUDENT, "user", "a user's model adds to the gradients before", also=WILD,
            model=student(NeverResetStudent, (80,))),
    planted("gradients_not_reset", C_LENET, "wrapper", "a wrapper that adds to the gradients before", also=WILD,
            model=wrapped(NeverReset, network(pg.LeNet))),
)  # fmt: skip

FROZEN = (
    planted("frozen_layers", D_STUDENT, "zeros", "a user's gradient of the first layer is zero", silent=True,
            model=student(ForgetsLayer, (64,))),
    planted("frozen_layers", D_DEEP, "layer", "a user's layer returns zeros for its gradients", silent=True,
            model=stack(pg.Flatten(), pg.Affine(64), pg.ReLU(), ZeroGradientAffine(64), pg.ReLU(),
                        pg.Affine(64), pg.ReLU(), pg.Affine(10))),
    planted("frozen_layers", D_MLP, "factors", "a factor of 0 on the first layer's rate, left from fine-tuning",
            silent=True, more={"lr_factors": {"affine1": 0}}),
    planted("frozen_layers", D_CONV, "conv", "a user's convolution returns zeros for its gradients", silent=True,
            model=stack(ZeroGradientConv2d(8, 3, padding=1), *convnet(8, 16, hidden=32)[1:])),
    planted("frozen_layers", C_STUDENT, "zeros", "a user's gradient of the first layer is zero", silent=True,
            model=student(ForgetsLayer, (80,))),
    planted("frozen_layers", C_CONV, "factors", "a factor of 0 on the convolutions' rates", silent=True,
            more={"lr_factors": {"conv*": 0}}),
)  # fmt: skip

RUNS = (*TINY_BATCHES, *TRAINING_MODE, *DROPPED, *RAW_SCORES, *TWICE, *SUMS, *NOT_RESET, *FROZEN)
