"""What a page shows of a split's samples: class by class, what was taken for what, and their pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from plaingrad.predictions import Predictions
from plaingrad.report.sheet import Sheet
from plaingrad.report.words import counted, percent

MATRIX = 25  # classes: of more, a matrix could not be read
PAIRS = 40  # of classes, where there is no matrix
MISTAKES = 24
FEW = 20  # samples of a class: of fewer, a share in per cent would say too much
FAINT = 0.03  # of a class: smaller shares are left white, so that the pattern stands out


@dataclass(frozen=True)
class Tile:
    """A sample: its name (a file's without its class's folder, or its number), and the class it was taken for.

    file: the whole path, "" where the data has no files.
    place: of its picture on the sheet, None if there is none.
    """

    name: str
    file: str
    true: str
    predicted: str
    predicted_number: int
    confidence: str
    wrong: bool
    place: tuple[float, float] | None


@dataclass(frozen=True)
class ClassRow:
    """A class: the share of its samples that is right, and the class they are most often taken for."""

    number: int
    name: str
    samples: int
    accuracy: float | None
    taken_for: str
    share: float | None

    def written(self, share: float | None) -> str:
        """A share of its samples: in per cent, or as "6 of 7" of few."""
        if share is None or self.samples >= FEW:
            return percent(share)
        return f"{round(share * self.samples)} of {self.samples}"


@dataclass(frozen=True)
class Cell:
    """Samples of one class that were taken for one class."""

    true: int
    predicted: int
    count: int
    share: float

    @property
    def shade(self) -> float:
        """How dark it is, from 0 to 1: mistakes darker than their share, since they are what one looks for."""
        if self.share < FAINT:
            return 0.0
        return self.share if self.true == self.predicted else min(1.0, 2.5 * self.share)


class Shown:
    """What a page shows of predictions."""

    def __init__(self, predictions: Predictions) -> None:
        self.predictions, self.classes = predictions, predictions.classes
        self.confusion = predictions.confusion
        self._totals = self.confusion.sum(axis=1)
        self._confused = self.confusion.copy()  # without what is right
        np.fill_diagonal(self._confused, 0)
        self.sheet = Sheet.of(predictions.images) if len(predictions.chosen) else None
        self._pictures = {int(index): number for number, index in enumerate(predictions.chosen)}

    @property
    def wide(self) -> bool:
        """Whether names are so long that the pictures need wider columns."""
        return max(map(len, self.classes), default=0) > 16

    @property
    def matrix(self) -> bool:
        """Whether the classes are few enough for a matrix."""
        return len(self.classes) <= MATRIX

    @cached_property
    def rows(self) -> list[list[Cell]]:
        """The confusion matrix: a row for each class, a cell for each class taken for."""
        numbers = range(len(self.classes))
        return [[self._cell(true, predicted) for predicted in numbers] for true in numbers]

    @property
    def pairs(self) -> list[Cell]:
        """The commonest confusions, most samples first."""
        counts = self._confused.ravel()
        places = np.flatnonzero(counts)
        commonest = places[np.argsort(-counts[places], kind="stable")][:PAIRS]
        return [self._cell(*divmod(int(place), len(self.classes))) for place in commonest]

    @property
    def by_class(self) -> list[ClassRow]:
        """A row for each class, the worst first."""
        made = []
        for number, row in enumerate(self._confused):
            count, wrong = int(self._totals[number]), self._cell(number, int(row.argmax()))
            mistaken = row.any()
            made.append(ClassRow(
                number, self.classes[number], count, self._cell(number, number).share if count else None,
                self.classes[wrong.predicted] if mistaken else "", wrong.share if mistaken else None,
            ))  # fmt: skip
        return sorted(made, key=lambda own: (own.accuracy is None, own.accuracy or 0.0))

    @property
    def mistakes(self) -> list[Tile]:
        """The mistakes that the network was surest of."""
        return [self._tile(int(i)) for i in self.predictions.mistakes()[:MISTAKES]]

    @property
    def as_it_comes(self) -> list[Tile]:
        """Samples at even distances over the split, as far as there are pictures of them."""
        return [self._tile(int(i)) for i in self.predictions.pictured(self.predictions.as_they_come())[0]]

    def of_class(self, number: int) -> list[Tile]:
        """The samples of a class that there are pictures of: mistakes first, the surest first."""
        chosen = self.predictions.chosen
        own = [int(i) for i in chosen[self.predictions.labels[chosen] == number]]
        predicted, confidence = self.predictions.predicted, self.predictions.confidence
        return [self._tile(i) for i in sorted(own, key=lambda i: (predicted[i] == number, -confidence[i]))]

    def told(self, number: int) -> str:
        """A class in a line: how many of its samples are right, and what there are pictures of."""
        own = self.predictions
        of_class = own.labels[own.chosen] == number
        mistakes = int((of_class & (own.predicted[own.chosen] != number)).sum())
        others = int(of_class.sum()) - mistakes
        kept = f"{counted(mistakes, 'mistakes')} and {counted(others, 'others')}"
        right = f"{int(self.confusion[number, number]):,} of {int(self._totals[number]):,} right"
        return f"{self.classes[number]}: {right}; pictures of {kept}"

    def cell_told(self, cell: Cell) -> tuple[str, str]:
        """What a cell is, in words, and how many samples of its class it holds."""
        name = self.classes[cell.true]
        what = f"taken for {self.classes[cell.predicted]}" if cell.true != cell.predicted else "named right"
        of_class = f"{cell.count:,} of {int(self._totals[cell.true]):,}, {percent(cell.share)}"
        return f"{name} {what}", f"{name} {what}: {of_class}"

    def _cell(self, true: int, predicted: int) -> Cell:
        count, total = int(self.confusion[true, predicted]), int(self._totals[true])
        return Cell(true, predicted, count, count / total if total else 0.0)

    def _tile(self, index: int) -> Tile:
        own = self.predictions
        label, predicted, number = (
            int(own.labels[index]),
            int(own.predicted[index]),
            self._pictures.get(index),
        )
        file = own.files[number] if number is not None and own.files else ""
        return Tile(
            name=_short(file, self.classes[label]) if file else f"{own.part} {index:,}",
            file=file,
            true=self.classes[label],
            predicted=self.classes[predicted],
            predicted_number=predicted,
            confidence=_sure(float(own.confidence[index])) if own.probabilistic else "",
            wrong=label != predicted,
            place=None if number is None or self.sheet is None else self.sheet.place(number),
        )


def _sure(probability: float) -> str:
    """A probability, float32, as per cent, rounded down: nothing is 100 % sure that is not."""
    return f"{math.floor(1000 * probability + 3e-5) / 10:.1f} %"  # half a step of float32: 0.9 is 90 %


def _short(file: str, folder: str) -> str:
    """A file's name without the folder of its class, cut in the middle where it is long: its end tells it apart."""
    name = file.removeprefix(f"{folder}/")
    return name if len(name) <= 24 else f"{name[:10]}…{name[-13:]}"
