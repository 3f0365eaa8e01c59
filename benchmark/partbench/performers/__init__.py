"""Networks that are explained: one family a file."""
