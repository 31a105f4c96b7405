"""The data as a network sees them: samples after each transform of the pipeline, and as the batch
that it is given."""
