"""The forms in which a client may ask: one package each, all on the same pipeline."""
