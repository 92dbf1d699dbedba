"""Matplotlib figures of runs, weights and predictions, for notebooks and for the report's page.

>>> pg.plots.history("runs/digits-20260721-120000")

Each function returns a Figure, which a notebook shows and `figure.savefig(path)` writes.  With `legend=False`
a figure leaves its legend out, for a page that draws its own.
"""

import lazy_loader

# Matplotlib takes a second to import, and tiles.py, which the course interface uses, does without.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
