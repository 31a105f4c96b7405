"""The page about runs: one file of HTML that requests nothing else."""
