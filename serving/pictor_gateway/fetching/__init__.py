"""Pictures by URL, from listed hosts and public addresses only."""
