"""Image files: headers, orientation, decoding, and checks before a run."""
