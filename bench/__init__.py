"""What httptop costs and how exact it is: ``python -m bench``, as root (bench/README.md)."""
