"""Images with depth maps: pairs of files, loading, and a data set of them."""
