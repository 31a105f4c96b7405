"""What a network sees of its data: samples after each transform of the pipeline, and as the batch
that it is given."""
