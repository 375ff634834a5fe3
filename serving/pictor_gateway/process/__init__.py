"""The gateway as a process, or as several: listen, announce, drain, stop."""
