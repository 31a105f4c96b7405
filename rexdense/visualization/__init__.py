"""Pictures of boxes, label maps, depth, curves and confusion matrices, as RGB arrays and files."""
