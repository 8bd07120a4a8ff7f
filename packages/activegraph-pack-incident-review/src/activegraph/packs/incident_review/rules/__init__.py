"""What a reader of server logs knows: a topic per kind of signal, and what its signals mean."""
