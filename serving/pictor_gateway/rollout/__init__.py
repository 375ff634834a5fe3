"""A new version beside the stable one: a share of the requests, mirrored ones, and when it is taken out."""
