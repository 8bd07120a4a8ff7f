"""Room set aside; furnished by the package of this name."""
