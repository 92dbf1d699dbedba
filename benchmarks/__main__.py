"""`python -m benchmarks`: `plaingrad bench` whose results stand in this repository."""

import sys

from benchmarks import RESULTS
from plaingrad.cli import main

if __name__ == "__main__":
    sys.argv = ["plaingrad", "bench", "--out", str(RESULTS), *sys.argv[1:]]  # of two --out, the last holds
    main()
