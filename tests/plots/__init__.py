"""Pictures: what they show, of whatever they are given."""
