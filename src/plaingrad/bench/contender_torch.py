"""PyTorch as a contender, in every setting in which people run it on a CPU."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence

import torch
from torch import nn

from plaingrad.bench.contenders import Contender
from plaingrad.bench.torch_module import module
from plaingrad.bench.workloads import Workload, centred_rows, channels_last, images

_DENSE = (
    "eager",
    "compiled",
    "eager, fused",
    "compiled, fused",
    "eager, fused, uint8",
    "compiled, fused, uint8",
)
_IMAGES = ("eager, fused", "eager, fused, channels-last", "compiled, fused", "compiled, fused, channels-last")


class PyTorch(Contender):
    """PyTorch: eager or `torch.compile`d, the update as it comes or fused, samples kept as float32 or as
    uint8, images in channels-first or channels-last memory."""

    library = "PyTorch"

    def __init__(self, workload: Workload, setting: str = "eager") -> None:
        super().__init__(workload, setting)
        words = setting.split(", ")
        if "compiled" in words and not _compiler():
            raise RuntimeError(
                "torch.compile needs a C++ compiler, and there is none (CXX, c++, g++, clang++)"
            )
        torch.manual_seed(0)
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
        self.channels_last = "channels-last" in words
        model = module(workload.build())
        if self.channels_last:
            model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.parameters = sum(p.numel() for p in model.parameters())
        kinds = {"sgd": torch.optim.SGD, "momentum": torch.optim.SGD, "adam": torch.optim.Adam}
        more = {"momentum": 0.9} if workload.rule == "momentum" else {}
        fused = True if "fused" in words else None  # None: PyTorch chooses
        self.optimizer = kinds[workload.rule](model.parameters(), lr=workload.lr, fused=fused, **more)
        criterion = nn.CrossEntropyLoss()

        def loss(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return criterion(model(x), y)

        self.loss = torch.compile(loss) if "compiled" in words else loss
        self.mean: torch.Tensor | None = None
        pixels, labels = images()
        if "uint8" in words:
            self.x = torch.from_numpy(pixels.reshape(-1, 3072))
            self.mean = torch.from_numpy(pixels.reshape(-1, 3072).mean(axis=0).astype("float32"))
        else:
            rows = centred_rows("float32")
            self.x = torch.from_numpy(channels_last(rows) if self.channels_last else rows)
            if workload.hidden is None and not self.channels_last:
                self.x = self.x.view(-1, 3, 32, 32)
        self.y = torch.from_numpy(labels)

    @classmethod
    def settings(cls, workload: Workload) -> Sequence[str]:
        """Of images only those that have a chance to be the fastest."""
        return _DENSE if workload.hidden is not None else _IMAGES

    def run(self, steps: int) -> float:
        """A PyTorch training loop."""
        loss = torch.tensor(torch.nan)
        for _ in range(steps):
            chosen = torch.randint(len(self.y), (self.workload.batch,))
            x = self.x[chosen]
            if self.mean is not None:
                x = x.float().sub_(self.mean)
            if self.channels_last:
                x = x.permute(0, 3, 1, 2)
            self.optimizer.zero_grad(set_to_none=True)
            loss = self.loss(x, self.y[chosen])
            loss.backward()
            self.optimizer.step()
        return loss.item()


def _compiler() -> str | None:
    wanted = os.environ.get("CXX")
    return next(filter(None, map(shutil.which, filter(None, (wanted, "c++", "g++", "clang++")))), None)
