"""The boundaries that several histograms share, in seconds."""

REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
STAGE_BUCKETS = (0.0005, 0.001, 0.0025, *REQUEST_BUCKETS)
