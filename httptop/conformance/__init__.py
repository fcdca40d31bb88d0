"""Conformance: raw bytes of connections, and the counts they must produce.

The cases are data (``cases/*.toml``). :mod:`httptop.conformance.observer` interprets them in plain
Python; :mod:`httptop.conformance.live` plays them on sockets under the real probes. Both must agree
with the data, and so must the kernel's parser of header sections in the tests.
"""
