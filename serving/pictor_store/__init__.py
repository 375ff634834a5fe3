"""What lasts: published models with their history, captured pictures; in a folder or in object storage."""
