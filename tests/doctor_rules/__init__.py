"""The doctor's rules on evidence written by hand."""
