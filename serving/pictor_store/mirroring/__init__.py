"""A store's served versions, copied to a folder of this machine and kept as the store says."""
