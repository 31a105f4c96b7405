"""What a network's features are like: their rank, their maps, and what a class rests on."""
