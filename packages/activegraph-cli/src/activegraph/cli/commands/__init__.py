"""One module per command: its parameters, the call of the library, and what is printed."""
