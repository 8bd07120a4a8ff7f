"""The nouns of a run: event, ids, clock, canonical form, graph and projection. Nothing here does I/O."""
