"""What outputs send, as the programs that people run receive it: `make test-receivers`."""
