"""httptop: top for HTTP, over eBPF."""

__version__ = "0.1.0"
