"""Neural networks with the backward pass in plain sight.

>>> import plaingrad as pg
>>> data = pg.load_data("digits").normalized("mean-image")
>>> net = pg.FullyConnectedNet([64], input_shape=data.input_shape)
>>> solver = pg.Solver(net, data, rule=pg.Adam(lr=1e-3), epochs=20)
>>> records = solver.train()

Each public name, listed in `__init__.pyi`, is imported when it is first used, so that
`import plaingrad` itself takes next to no time.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
