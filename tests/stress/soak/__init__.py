"""Hours of work in little: does httptop stay as small as it begins? Run by `make test-soak`."""
