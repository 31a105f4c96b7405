"""What is said and shown of a run beside its log."""
