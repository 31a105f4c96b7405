"""From a config and a command line to a run of mmengine's Runner, and to the files that it leaves.

Importing the package imports nothing: ``command_line`` serves programs that need no torch.
"""
