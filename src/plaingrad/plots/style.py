"""How every picture looks: colours that everybody tells apart, thin axes, no boxes, text as it stands."""

from __future__ import annotations

import contextlib
import functools
import io
import math
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ParamSpec

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.textpath import text_to_path
from matplotlib.ticker import Formatter, FuncFormatter, MaxNLocator

# Okabe and Ito's colours, which people with any kind of colour vision tell apart.
BLUE, ORANGE, GREEN, PURPLE, SKY, AMBER = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00"
GREY, DARK, FAINT = "#9aa0a6", "#444444", "#bcc0c4"  # to be seen on a dark page too, which inverts them

STYLE: dict[Any, Any] = {
    "font.size": 9,
    "font.family": "sans-serif",
    "text.parse_math": False,  # no name from outside is taken as a formula
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888888",
    "axes.labelcolor": DARK,
    "axes.linewidth": 0.7,
    "axes.grid": False,
    "grid.color": "#e8e8e8",
    "xtick.color": "#888888",
    "ytick.color": "#888888",
    "xtick.labelcolor": DARK,
    "ytick.labelcolor": DARK,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.minor.visible": False,
    "ytick.minor.visible": False,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.labelcolor": DARK,
    "svg.hashsalt": "plaingrad",  # the same run gives the same bytes
    "svg.fonttype": "path",
}
WIDTH = 4.5  # inches: text of 9 points is 11 to 12 pixels high where the page has two side by side

_ONE_AT_A_TIME = threading.RLock()
_Arguments = ParamSpec("_Arguments")


class Picture(Figure):
    """A Figure that a notebook shows by itself, whether pyplot was imported or not."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """The picture at twice the usual density, and the size at which it is shown."""
        width, height = (round(96 * inches) for inches in self.get_size_inches())
        out = io.BytesIO()
        self.savefig(out, format="png", dpi=192)
        return out.getvalue(), {"width": width, "height": height}


@contextlib.contextmanager
def house_style(more: Mapping[Any, Any] | None = None) -> Iterator[None]:
    """The style of the house, and `more` settings, whatever matplotlib is set to; afterwards all is as before.

    Matplotlib has one set of settings for all threads, so only one of them draws at a time.
    """
    with _ONE_AT_A_TIME, matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({**STYLE, **(more or {})})
        yield


def styled(draw: Callable[_Arguments, Figure]) -> Callable[_Arguments, Figure]:
    """The function that draws, in the style of the house."""

    @functools.wraps(draw)
    def drawn(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> Figure:
        with house_style():
            return draw(*args, **kwargs)

    return drawn


def new_figure(width: float, height: float) -> Figure:
    """An empty picture, in inches."""
    return Picture(figsize=(width, height), layout="constrained")


def new_axes(x: str, y: str) -> tuple[Figure, Axes]:
    """An empty picture with two named axes, the first of whole numbers."""
    figure = new_figure(6.2, 3.6)
    axes = figure.add_subplot()
    axes.set(xlabel=x, ylabel=y)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return figure, axes


class PerCent(Formatter):
    """Fractions on an axis as per cent, without digits that say nothing."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """0.985 as 98.5 %."""
        return f"{100 * x:.4g} %"


def in_plain_numbers(axis: Any) -> None:
    """Show the numbers of an axis, such as a logarithmic one, without formulas."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))


def short_number(value: float, digits: int = 3) -> str:
    """A number to so many digits, whole if it is large, with a power beyond: 0.01, 2.2e-4, 1234, 1e5."""
    size = abs(value)
    large = 10.0 ** (digits + 2)
    if 10**digits - 0.5 <= size < large:
        return f"{value:.0f}"
    shown, _, power = f"{value:.{digits - 1}e}".partition("e")
    if 0 < size < 1e-3 or large <= size < math.inf:
        return f"{float(shown):g}e{int(power)}"
    return f"{value:.{digits}g}"


def mark(artist: Any, key: str, values: Any = None) -> None:
    """Name an artist so that a page can switch it off and read it: all that share a key go together.

    values: what is read off at each point of a curve that has a scale of its own, where its height tells nothing.
    """
    artist.set_gid(f"series-{key}")
    artist.read_as = values


def known(text: str) -> str:
    """Text with a question mark for each character that the font lacks, which would be a warning each."""
    glyphs = get_font(findfont(FontProperties(family=["sans-serif"]))).get_charmap()
    return "".join(c if ord(c) in glyphs and c.isprintable() else "?" for c in text)


def shortened(text: str, most: int) -> str:
    """What the font has of a text, cut if it is longer than `most`."""
    text = known(text)
    return text if len(text) <= most else text[: most - 1] + "…"


def text_width(text: str, size: float) -> float:
    """How wide a text is in a font of `size` points, in points."""
    font = FontProperties(family=["sans-serif"], size=size)
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]


def fitted(text: str, size: float, width: float) -> str:
    """What the font has of a text, its middle left out where it is wider than `width` points."""
    shown = text = known(text)
    kept = min(len(text), 60)
    while kept > 1 and (len(shown) > 60 or text_width(shown, size) > width):
        kept -= 1
        shown = f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"
    return shown


def to_svg(figure: Figure) -> bytes:
    """The picture as a file; the same picture gives the same bytes."""
    out = io.BytesIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()
