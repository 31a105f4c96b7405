"""Hooks of mmengine's runner: what is checked, guarded, kept and drawn around a run."""
