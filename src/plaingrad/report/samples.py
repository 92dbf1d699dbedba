"""What a page shows of a split's samples: class by class, what was taken for what, and their pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from plaingrad.predictions import Predictions
from plaingrad.report.sheet import Sheet

MATRIX = 25  # classes: of more, a matrix could not be read
PAIRS = 40  # of classes, where there is no matrix
MISTAKES = 24


@dataclass(frozen=True)
class Tile:
    """A sample: its name (a file, or its number in the split), and the class it was taken for.

    place: of its picture on the sheet, None if there is none.
    """

    name: str
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
        return self.share if self.true == self.predicted else min(1.0, 2.5 * self.share)


class Shown:
    """What a page shows of predictions."""

    def __init__(self, predictions: Predictions) -> None:
        self.predictions, self.classes = predictions, predictions.classes
        self.confusion = predictions.confusion
        self.sheet = Sheet.of(predictions.images) if len(predictions.chosen) else None
        self._pictures = {int(index): number for number, index in enumerate(predictions.chosen)}

    @property
    def matrix(self) -> bool:
        """Whether the classes are few enough for a matrix."""
        return len(self.classes) <= MATRIX

    @cached_property
    def rows(self) -> list[list[Cell]]:
        """The confusion matrix: a row for each class, a cell for each class taken for."""
        totals = self.confusion.sum(axis=1)
        return [
            [
                Cell(true, predicted, int(count), count / totals[true] if totals[true] else 0.0)
                for predicted, count in enumerate(row)
            ]
            for true, row in enumerate(self.confusion)
        ]

    @property
    def pairs(self) -> list[Cell]:
        """The commonest confusions, most samples first."""
        cells = [cell for row in self.rows for cell in row if cell.count and cell.true != cell.predicted]
        return sorted(cells, key=lambda cell: -cell.count)[:PAIRS]

    @property
    def by_class(self) -> list[ClassRow]:
        """A row for each class, the best first."""
        made = []
        for number, row in enumerate(self.rows):
            count = sum(cell.count for cell in row)
            most = max(
                (cell for cell in row if cell.predicted != number), key=lambda own: own.count, default=None
            )
            wrong = most if most is not None and most.count else None
            made.append(ClassRow(
                number, self.classes[number], count, row[number].share if count else None,
                self.classes[wrong.predicted] if wrong else "", wrong.share if wrong else None,
            ))  # fmt: skip
        return sorted(made, key=lambda own: (own.accuracy is None, -(own.accuracy or 0.0)))

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
        own = [int(i) for i in self.predictions.chosen if self.predictions.labels[i] == number]
        predicted, confidence = self.predictions.predicted, self.predictions.confidence
        return [self._tile(i) for i in sorted(own, key=lambda i: (predicted[i] == number, -confidence[i]))]

    def _tile(self, index: int) -> Tile:
        own = self.predictions
        label, predicted, number = (
            int(own.labels[index]),
            int(own.predicted[index]),
            self._pictures.get(index),
        )
        file = own.files[number] if number is not None and own.files else ""
        return Tile(
            name=file or f"{own.part} {index:,}",
            true=self.classes[label],
            predicted=self.classes[predicted],
            predicted_number=predicted,
            confidence=_sure(float(own.confidence[index])) if own.probabilistic else "",
            wrong=label != predicted,
            place=None if number is None or self.sheet is None else self.sheet.place(number),
        )


def _sure(probability: float) -> str:
    """A probability, float32, as per cent, rounded down: nothing is 100 % sure that is not."""
    return f"{math.floor(1000 * probability + 3e-5) / 10:g} %"  # half a step of float32: 0.9 is 90 %
