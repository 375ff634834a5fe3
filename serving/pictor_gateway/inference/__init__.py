"""From pictures to scores: decode, stand in line, share a call of the model."""
