"""The command: dispatch on its arguments; turn every failure into a line and an exit status."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from httptop.config.destination import STANDARD_OUTPUT
from httptop.config.load import Config, check_file, load, user_file
from httptop.config.save import save_all
from httptop.config.settings import GUARDED, SETTINGS
from httptop.console import can_draw, complain, forget_output, read_keys, say
from httptop.errors import HttptopError, UsageError
from httptop.linux.files import InvokingUser, invoking_user
from httptop.printable import clean
from httptop.run import arguments
from httptop.run.arguments import UNNAMED, Arguments
from httptop.run.batch import run_batch
from httptop.run.outputs import config_of_run
from httptop.run.screen import run_screen
from httptop.run.session import Session


def main(words: Sequence[str] | None = None, session: Session | None = None) -> int:
    """Run httptop and return its exit status; every failure is a line on standard error.

    ``session``: the processes started already, if any; the caller ends them.
    """
    if session is None:
        with Session() as session:
            return main(words, session)
    try:
        return _main(arguments.parse(sys.argv[1:] if words is None else words), session)
    except HttptopError as error:
        complain(str(error))
        return error.exit_status
    except BrokenPipeError:
        forget_output()
        return 0
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 - a user shall not see a traceback
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        complain(f"{type(error).__name__}: {error} ({where})".replace("\n", " "))
        return HttptopError.exit_status


def _main(asked: Arguments, session: Session) -> int:
    if asked.doctor:
        from httptop.doctor import checks, service

        return service.main() if asked.service else checks.main()
    if asked.selftest:
        from httptop.conformance import selftest

        return selftest.main()
    invoker = invoking_user(os.environ)
    if asked.validate_config not in (None, UNNAMED):
        return _validated(check_file(asked.validate_config, invoker))
    config = load(asked.settings, os.environ, invoker, asked.config)
    if asked.validate_config is not None:
        return _validated(config)
    if asked.print_config:
        return _print_config(config)
    if asked.save_config is not None:
        named = asked.save_config != UNNAMED
        return _save(
            config, asked.save_config if named else user_file(os.environ, invoker), invoker
        )
    if not config.settings.general.enabled:
        complain(f"general.enabled is false ({config.origins['general.enabled']}): nothing to do")
        return 0
    config = config_of_run(asked, config)
    if asked.exports and asked.replay is not None:
        from httptop.run.capture_report import report_capture

        return report_capture(asked, config.settings, invoker)
    if asked.batch or not can_draw(os.environ):
        return run_batch(asked, config, invoker, session)
    if asked.exports:
        raise UsageError("--export needs a batch run (-b) or a capture (--replay FILE)")
    if STANDARD_OUTPUT in config.settings.request_log.to:
        raise UsageError(
            "--log requests: standard output has the screen; use -b, or name a destination, such "
            "as --log requests=FILE"
        )
    read_keys()
    return run_screen(asked, config, invoker, session)


def _save(config: Config, path: Path, invoker: InvokingUser) -> int:
    say(_shown(save_all(config.settings, path, invoker)))
    for key in sorted(GUARDED) if invoker.elevated else ():
        origin = config.origins[key]
        if origin != "default" and Path(origin) not in config.files:
            complain(f"{key} ({origin}) was not saved: under sudo only a file of root's may set it")
    return 0


def _shown(path: Path) -> str:
    return clean(os.fsencode(path), 4096)


def _validated(config: Config) -> int:
    names = ", ".join(map(_shown, config.files)) or "no configuration file, the defaults apply"
    say(f"{names}: no error")
    return 0


def _print_config(config: Config) -> int:
    lines = [f"{s.key} = {s.kind.show(s.of(config.settings))}" for s in SETTINGS]
    width = min(60, max(map(len, lines)))
    for setting, line in zip(SETTINGS, lines, strict=True):
        origin = clean(config.origins[setting.key].encode("utf-8", "surrogateescape"), 4096)
        say(f"{line:<{width}}  # {origin}")
    return 0
