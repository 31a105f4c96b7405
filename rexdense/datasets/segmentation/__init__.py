"""Images with label maps: class lists, loading, and a data set of them."""
