"""Evidence: all that the doctor knows of a run.  Anything may be missing; rules speak where it is there."""

from __future__ import annotations

from dataclasses import dataclass

from plaingrad.insight.facts import DataFacts, LayerFacts, ParameterFacts, ScoreFacts


@dataclass(frozen=True)
class Evaluation:
    """An evaluation: after `step` updates, at learning rate `lr`; accuracies and losses where known.

    train_loss, val_loss: mean loss in evaluation mode over the samples that measure the accuracies.
    predicted: how often each class was predicted on the validation (else training) samples;
    per_class: the accuracy of each class there, None for one without samples.
    """

    step: int
    epoch: float
    lr: float | None = None
    train_accuracy: float | None = None
    val_accuracy: float | None = None
    train_loss: float | None = None
    val_loss: float | None = None
    predicted: tuple[int, ...] | None = None
    per_class: tuple[float | None, ...] | None = None


@dataclass(frozen=True)
class Look:
    """What a watch saw when `step` updates were done: at the start (0), often early on, then each epoch.

    loss: of the batch looked at, in training mode.  gradient_norm: of all parameters together.
    """

    step: int
    loss: float
    gradient_norm: float
    parameters: tuple[ParameterFacts, ...] = ()
    layers: tuple[LayerFacts, ...] = ()
    scores: ScoreFacts | None = None


@dataclass(frozen=True)
class Probes:
    """Answers to questions that need the model itself, asked of a copy of it on a fixed batch before the first
    step; at the end of training once more, where there was no answer.

    repeat: largest difference of the scores of one batch evaluated twice, in units of the scores' standard
    deviation: above 0, evaluation is random (dropout left on).  company: the same between samples evaluated
    together with others and in another company: above rounding, evaluation depends on the batch (batch
    normalisation left in training mode).  doubled_loss: the loss of a batch with every sample twice, over
    the loss of the batch: 1 for a mean, 2 for a sum.  doubled_gradient: the same of the gradient's norm.
    second_gradient: the norm of the gradient when it is asked for a second time on the same numbers, over
    the first: 1, or 2 where gradients are added to those before.  changed_by_evaluation: whether
    evaluating changed parameters or state.
    """

    repeat: float | None = None
    company: float | None = None
    doubled_loss: float | None = None
    doubled_gradient: float | None = None
    second_gradient: float | None = None
    changed_by_evaluation: bool | None = None


@dataclass(frozen=True)
class Order:
    """How the batches of the first epoch are made up (of the first 50 steps of it, and of the second epoch).

    consecutive: the share of neighbours within a batch whose indices follow one another.
    same_each_epoch: whether the second epoch's batches are the first one's.
    largest_share: the mean share of the commonest label in a batch, and `expected_share` what batches of
    that size drawn at random would have.
    """

    consecutive: float
    same_each_epoch: bool | None
    largest_share: float
    expected_share: float


@dataclass(frozen=True)
class Setup:
    """What was set before the run: names and numbers, None where not known.

    objective: "softmaxcrossentropy", "negativeloglikelihood", "hinge", ...  reg: L2 strength;
    weight_decay: decoupled.  dropout: the largest rate of a layer.  batchnorm: whether there is a batch
    normalisation.  augmented: whether training images are changed.  schedule: "constant", "cosine", ....
    label_smoothing: of the objective.  accumulate: into how many parts a batch is divided, each of which goes
    through the network by itself.  total_steps: planned.  frozen: names of parameters whose learning
    rate is 0 on purpose.  classes: their names, in the order of the labels; () where not known.
    """

    objective: str | None = None
    rule: str | None = None
    lr: float | None = None
    schedule: str | None = None
    batch_size: int | None = None
    accumulate: int | None = None
    steps_per_epoch: int | None = None
    total_steps: int | None = None
    reg: float | None = None
    weight_decay: float | None = None
    dropout: float | None = None
    batchnorm: bool | None = None
    augmented: bool | None = None
    label_smoothing: float | None = None
    parameters: int | None = None
    frozen: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class NonFinite:
    """The first value that was not finite: at which step, in which layer or tensor, for which samples."""

    step: int
    where: str
    samples: tuple[int, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """What is known of a run.

    losses: of each step, in training mode, oldest first; [] where only evaluations are known.
    classes: how many.  finished: whether the run got to its planned end (None: not known).
    """

    losses: tuple[float, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    classes: int | None = None
    setup: Setup = Setup()
    data: DataFacts | None = None
    order: Order | None = None
    probes: Probes | None = None
    looks: tuple[Look, ...] = ()
    non_finite: NonFinite | None = None
    finished: bool | None = None
