"""The demo page: checkpoints tried on images in a browser. Only ``page`` and ``server`` need
gradio."""
