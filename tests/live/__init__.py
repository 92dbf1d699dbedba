"""Watching a run: a real server on a port of this machine, and whoever looks at its page."""
