"""The network: built from its configuration, saved, and read back without trusting the file."""
