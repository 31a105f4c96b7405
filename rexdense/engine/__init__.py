"""From a config to a run of mmengine's Runner, and to the files that it leaves."""
