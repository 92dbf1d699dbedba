"""Side by side with what a user would pick instead; `python -m benchmarks --help`."""

from pathlib import Path

RESULTS = Path(__file__).parent / "results"
