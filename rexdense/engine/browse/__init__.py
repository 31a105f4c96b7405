"""The data as a network gets it: samples after each transform of the pipeline, and as a batch."""
