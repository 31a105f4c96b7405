"""Files that programs write: checked places, complete or not at all, one process at a time."""
