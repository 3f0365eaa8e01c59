"""What partbench computed once and can compute again: checked files, locks, upkeep. See docs/cache.md."""
