"""Conformance: raw bytes of connections, and what must be counted of them.

The cases are data (``cases/*.toml``). :mod:`httptop.conformance.observer` says in plain Python what
they mean, :mod:`httptop.conformance.live` plays them on sockets under the real probes; both, and
the kernel's head parser in the tests, have to agree with the data.
"""
