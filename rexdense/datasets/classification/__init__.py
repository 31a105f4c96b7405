"""Images with one class each: folders, lists, and a data set of them."""
