"""One request: what it brings, how long it may take, and whether anybody still waits for it."""
