"""The config in a checkpoint, checked part by part before anything is built."""
