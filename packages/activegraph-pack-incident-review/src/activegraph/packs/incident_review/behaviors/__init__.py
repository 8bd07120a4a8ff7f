"""The behaviors of a review, one module per step of the work."""
