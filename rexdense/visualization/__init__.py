"""Pictures as RGB arrays and files: boxes, label maps, depth, plots, confusion matrices."""
