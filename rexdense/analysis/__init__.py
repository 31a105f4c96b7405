"""Analysis of a network's features: ranks, feature maps and class activation maps."""
