"""Who comes in: ids and headers, keys, rates, places."""
