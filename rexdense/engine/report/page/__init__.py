"""The page about runs: a single HTML file that loads nothing else."""
