"""Analysis of a network's features: their rank, their maps, and class activation maps."""
