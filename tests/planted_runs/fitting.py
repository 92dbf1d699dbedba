"""Planted: too much freedom for the data, or too little."""

from __future__ import annotations

import plaingrad as pg

from .bases import (
    C_CONV,
    C_LENET,
    C_MLP,
    C_STUDENT,
    D_CONV,
    D_DEEP,
    D_DROP,
    D_MLP,
    D_SGD,
    D_STUDENT,
    D_TANH,
    convnet,
    mlp,
    network,
    stack,
    student,
)
from .plan import planted
from .sets import CIFAR_LARGE, DIGITS_ALL, first
from .students import Student

OVERFITTING = (
    planted("overfitting", D_MLP, "60-images", "60 images for 10,000 weights", model=mlp([128]), epochs=150,
            data=DIGITS_ALL.but(first(60)), batch_size=20),
    planted("overfitting", D_DEEP, "80-images", "80 images, four layers, 100 epochs", epochs=100,
            data=DIGITS_ALL.but(first(80)), batch_size=20),
    planted("overfitting", D_CONV, "80-images", "a convnet on 80 images", epochs=80,
            data=DIGITS_ALL.but(first(80)), batch_size=20),
    planted("overfitting", D_STUDENT, "100-images", "a user's model on 100 images", epochs=100,
            data=DIGITS_ALL.but(first(100)), batch_size=20),
    planted("overfitting", C_MLP, "1000-images", "1,000 images, no regularisation, 30 epochs", epochs=30,
            data=CIFAR_LARGE.but(first(1000)), model=mlp([200]), schedule=pg.Constant(), batch_size=50),
    planted("overfitting", C_LENET, "2000-images", "2,000 images, 25 epochs", epochs=25, rule=pg.Adam(1e-3),
            data=CIFAR_LARGE.but(first(2000)), schedule=pg.Constant()),
    planted("overfitting", C_CONV, "1500-images", "a wide convnet on 1,500 images", epochs=20,
            data=CIFAR_LARGE.but(first(1500)), model=stack(*convnet(16, 16, hidden=128)), rule=pg.Adam(2e-3)),
    planted("overfitting", C_STUDENT, "1000-images", "a user's model on 1,000 images, no regularisation",
            epochs=30, data=CIFAR_LARGE.but(first(1000)), model=student(Student, (100,)), batch_size=50),
)  # fmt: skip

CAPACITY = (
    planted("too_little_capacity", D_MLP, "2-units", "two hidden units", model=mlp([2]), epochs=30),
    planted("too_little_capacity", D_TANH, "1-unit", "one hidden unit", model=mlp([1], activation="tanh"),
            epochs=30),
    planted("too_little_capacity", D_DEEP, "neck", "a bottleneck of one unit", epochs=30,
            model=mlp([64, 1, 64], activation="tanh")),
    planted("too_little_capacity", D_CONV, "1-filter", "one filter and coarse pooling", epochs=20,
            model=stack(pg.Conv2d(1, 3, padding=1), pg.ReLU(), pg.MaxPool2d(4), pg.Flatten(), pg.Affine(10))),
    planted("too_little_capacity", D_STUDENT, "2-units", "a user's two hidden units", epochs=30,
            model=student(Student, (2,))),
    planted("too_little_capacity", C_MLP, "2-units", "two hidden units", model=mlp([2]), epochs=6),
    planted("too_little_capacity", C_CONV, "2-filters", "two filters and a global mean", epochs=5,
            model=stack(pg.Conv2d(2, 3, padding=1), pg.ReLU(), pg.GlobalAvgPool2d(), pg.Affine(10))),
    planted("too_little_capacity", C_STUDENT, "2-units", "a user's two hidden units", epochs=6,
            model=student(Student, (2,))),
)  # fmt: skip

REGULARIZATION = (
    planted("too_much_regularization", D_MLP, "l2-1", "an L2 strength of 1", model=mlp([64], reg=1.0)),
    planted("too_much_regularization", D_SGD, "l2-0.3", "an L2 strength of 0.3", model=mlp([50], reg=0.3)),
    planted("too_much_regularization", D_DEEP, "decay", "a weight decay of 300 at a rate of 1e-3",
            rule=pg.AdamW(1e-3, weight_decay=300)),
    planted("too_much_regularization", D_DROP, "dropout-0.95", "95 % of the units dropped, in two layers",
            model=mlp([64, 64], dropout=0.95)),
    planted("too_much_regularization", D_STUDENT, "l2-1", "a user's model with an L2 strength of 1",
            model=student(reg=1.0)),
    planted("too_much_regularization", D_CONV, "l2-0.5", "an L2 strength of 0.5",
            model=stack(*convnet(8, 16, hidden=32), reg=0.5)),
    planted("too_much_regularization", C_MLP, "l2-2", "an L2 strength of 2", model=mlp([100], reg=2.0)),
    planted("too_much_regularization", C_LENET, "l2-0.5", "an L2 strength of 0.5",
            model=network(pg.LeNet, reg=0.5)),
    planted("too_much_regularization", C_MLP, "dropout-0.95", "95 % of the units dropped, in two layers",
            model=mlp([100, 100], dropout=0.95), rule=pg.Adam(1e-3)),
)  # fmt: skip

RUNS = (*OVERFITTING, *CAPACITY, *REGULARIZATION)
