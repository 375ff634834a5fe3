"""Fitting: from prepared pictures and a built network to trained weights, resumable at every step."""
