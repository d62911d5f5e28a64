"""The law as data, and how it is read."""
