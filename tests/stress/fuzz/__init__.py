"""Made-up heads by the million, and threads that do to sockets whatever can be done to them."""
