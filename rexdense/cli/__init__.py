"""The rexdense command: one program a file, and what their command lines share."""
