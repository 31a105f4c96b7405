"""RGB arrays and picture files: boxes, label maps, depth, plots, confusion matrices."""
