"""Compile ahead what the first start would have to compile: ``python -m httptop.run.warm``.

The set-up runs it as root. It fills the cache of ``performance.cache`` for a run without arguments,
under the configuration that is found here: it loads the probes as such a run does, and does not
attach them. If the cache is full already, it ends at once. The exit status is that of httptop; a
failure is one line on standard error.
"""

from __future__ import annotations

import json
import os
import sys

from httptop.bpf.build import loader
from httptop.bpf.build.child import Loading, Plan
from httptop.bpf.build.compiler import LoadError
from httptop.bpf.plan import plan_of
from httptop.config.load import load
from httptop.config.scope import scope_of
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
        plan = plan_of(settings, scope_of(settings.filter), possible_cpus(), own_pid_namespace())
        if plan.cache and not _is_compiled(plan):
            _load(plan)
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


def _load(plan: Plan) -> None:
    loading = Loading()
    try:
        loading.give(plan)
        loading.wait(tell=lambda _: None).close()
    finally:
        loading.cancel()


if __name__ == "__main__":
    sys.exit(main())
