"""The demo page, on which checkpoints predict images in a browser. Only ``page`` and ``server``
need gradio."""
