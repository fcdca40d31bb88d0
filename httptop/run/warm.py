"""Compile ahead what the first start would have to compile: ``python -m httptop.run.warm``.

The set-up runs it as root. It fills the cache of ``performance.cache`` for a run without arguments,
under the configuration that is found here, and for one with a filter, side by side: it loads the
probes as such runs do, and does not attach them. If the cache is full already, it ends at once. The
exit status is that of httptop; a failure is one line on standard error.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Sequence

from httptop.bpf.build import loader
from httptop.bpf.build.child import Loading, Plan
from httptop.bpf.build.compiler import LoadError
from httptop.bpf.plan import plan_of
from httptop.config.load import load
from httptop.config.scope import limited, scope_of
from httptop.doctor import checks
from httptop.errors import HttptopError, Unavailable
from httptop.linux.cpus import possible_cpus
from httptop.linux.files import invoking_user
from httptop.linux.processes import own_pid_namespace
from httptop.optional_modules import leave_out


def main() -> int:
    """Fill the cache; return the exit status."""
    leave_out()
    try:
        settings = load({}, os.environ, invoking_user(os.environ)).settings
        scopes = scope_of(settings.filter), limited("pid = 1")  # any filter takes the same
        host = possible_cpus(), own_pid_namespace()
        plans = [plan_of(settings, scope, *host) for scope in scopes]
        _load([plan for plan in plans if plan.cache and not _is_compiled(plan)])
    except HttptopError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_status
    return 0


def _is_compiled(plan: Plan) -> bool:
    if (reason := checks.refusal()) is not None:
        raise Unavailable(reason)
    given = json.loads(plan.to_json())
    try:
        return loader.is_compiled(given, loader.layout(given))
    except LoadError as error:
        raise Unavailable(str(error)) from None


def _load(plans: Sequence[Plan]) -> None:
    with contextlib.ExitStack() as closing:
        started = []
        for plan in plans:
            loading = Loading()
            closing.callback(loading.cancel)
            loading.give(plan)
            started.append(loading)
        for loading in started:
            loading.wait(tell=lambda _: None).close()


if __name__ == "__main__":
    sys.exit(main())
