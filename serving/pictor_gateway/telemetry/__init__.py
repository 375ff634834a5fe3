"""What is seen from outside: metrics, log lines, traces, probes."""
