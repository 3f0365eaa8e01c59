"""`python -m partbench` is `bench`."""

from partbench.cli.main import main

main()
