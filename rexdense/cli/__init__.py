"""The rexdense command: one file per program, and their shared options."""
