"""Analysis of a network's features: their rank, their maps, and what a class rests on."""
