"""Running cells: which there are, what each needs, fitting, explaining and scoring."""
