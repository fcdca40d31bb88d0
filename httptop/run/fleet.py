"""The feed of ``--from``: a fleet's figures, asked of a Prometheus server."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from httptop.config.scope import Scope
from httptop.config.settings import Settings
from httptop.console import complain, hold_nothing
from httptop.errors import UsageError
from httptop.filters import KEY_FIELDS, comparisons
from httptop.fleet.address import parse_source
from httptop.linux.files import InvokingUser
from httptop.optional_modules import bring_back_tls
from httptop.privilege.drop import refuse_root_screen
from httptop.run.arguments import Arguments
from httptop.run.log import LOG

if TYPE_CHECKING:
    from httptop.fleet.feed import FleetFeed

_HINT: Final = "Prometheus has counts by endpoint; limit the runs on the hosts instead"


def open_fleet(
    asked: Arguments,
    settings: Settings,
    scope: Scope,
    invoker: InvokingUser,
    *,
    screen: bool,
    tell: Callable[[str], None],
) -> FleetFeed:
    """Return the feed; raise :class:`HttptopError`."""
    assert asked.source is not None
    address = parse_source(asked.source)
    require_countable(scope)
    refuse_root_screen(
        settings.security, screen=screen, reason="a fleet needs no root, run it as a user"
    )
    if address.secure:
        bring_back_tls()  # before http.client is imported
    from httptop.fleet.feed import FleetFeed

    def say(text: str) -> None:
        LOG.warning("%s", text)
        tell(text)

    return FleetFeed(
        address,
        settings.fleet,
        scope,
        settings,
        pace_s=settings.general.tick_s if "general.tick" in asked.settings else None,
        tell=say,
        opened=lambda: _confine(settings, invoker, saves=screen),
    )


def require_countable(scope: Scope) -> None:
    """Raise :class:`UsageError` if a fleet cannot be limited to a scope."""
    asked = {part.name for item in scope.kernel for part in comparisons(item)}
    refused = sorted(asked - KEY_FIELDS)
    if scope.by_status:
        refused.append("status")
    if not (scope.reads and scope.writes):
        refused.append("reads and writes")
    for name in refused:
        raise UsageError(f"--from cannot be limited by {name}: {_HINT}")


def _confine(settings: Settings, invoker: InvokingUser, *, saves: bool) -> None:
    """Have this process make no other system calls than it needs; see system_calls.fleet."""
    from httptop.privilege import system_calls
    from httptop.privilege.confine import confine

    hold_nothing()
    allowed = system_calls.fleet(os.getpid(), saves=saves, elevated=invoker.elevated)
    for sentence in confine(allowed) if settings.security.seccomp else ():
        complain(sentence)
