"""Runs with a trouble planted in them, and healthy ones: what the doctor is scored on."""
