"""The page that shows runs: one file of HTML that asks for nothing else."""
