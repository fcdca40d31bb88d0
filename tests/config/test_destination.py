"""Where a log of requests goes, as it is written."""

from __future__ import annotations

import pytest

from httptop.config.destination import LogDestination, has_scheme, parse_destination


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-", LogDestination("-", "-")),
        ("/var/log/a.log", LogDestination("file", "/var/log/a.log", "/var/log/a.log")),
        ("tcp://logs.example.org:5000", ("tcp", "", "logs.example.org", 5000)),
        ("tcp://[::1]:1", ("tcp", "", "::1", 1)),
        ("unix:///run/a b", ("unix", "/run/a b", "", 0)),
        ("syslog:", ("syslog", "/dev/log", "", 0)),
        ("syslog:/run/log", ("syslog", "/run/log", "", 0)),
        ("syslog+udp://10.0.0.1", ("syslog+udp", "", "10.0.0.1", 514)),
        ("syslog+tcp://a", ("syslog+tcp", "", "a", 601)),
        ("syslog+tcp://a:65535", ("syslog+tcp", "", "a", 65535)),
    ],
)
def test_what_is_understood(
    text: str, expected: LogDestination | tuple[str, str, str, int]
) -> None:
    found = parse_destination(text)
    if not isinstance(expected, LogDestination):
        assert (found.kind, found.path, found.host, found.port) == expected
    else:
        assert found == expected
    assert found.text == text
    assert has_scheme(text) == (found.kind != "file")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "-, a path that begins with /"),
        ("a.log", "-, a path that begins with /"),
        ("/", "-, a path that begins with /"),
        ("/var/log/", "-, a path that begins with /"),
        ("tcp://a", "a host and a port from 1 to 65535 are needed: tcp://host:port"),
        ("tcp:a:1", "a host and a port"),
        ("tcp://a:0", "a host and a port"),
        ("tcp://a:65536", "a host and a port"),
        ("tcp://a b:1", "a host and a port"),
        ("syslog+udp://", "a host and a port from 1 to 65535 are needed: syslog+udp://host[:port]"),
        ("unix://run/a", "the absolute path of a socket is needed: unix:///path"),
        ("syslog:log", "the absolute path of a socket is needed: syslog:/path"),
        ("unix:///" + 107 * "a", "the path of a socket has at most 107 bytes"),
        ("udp://a:1", "unknown kind of destination, udp:"),
        ("sysloq:", "unknown kind of destination, sysloq:; did you mean 'syslog'?"),
    ],
)
def test_what_is_wrong_is_told(text: str, told: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        parse_destination(text)
    assert str(caught.value).startswith(told)
