"""One training by several processes, on one machine or many: each takes its part of every batch."""
