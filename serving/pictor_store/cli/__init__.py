"""`pictor models` and `pictor samples`."""
