"""The whole loop on real pictures that come with a package: train, publish, serve, ask."""
