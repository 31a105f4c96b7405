"""The config that lies in a checkpoint, of which nothing is built unseen."""
