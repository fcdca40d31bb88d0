"""The configuration read again by a real run that has given up root, from a file of root's."""

from __future__ import annotations

import signal
from itertools import islice
from pathlib import Path

import pytest

from tests.live.command import NOBODY, batch, document, field, said, terminal, until
from tests.patience import PATIENCE_S

pytestmark = [pytest.mark.ebpf, pytest.mark.xdist_group("commands")]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file that root alone can read, in a directory that root alone can enter."""
    tmp_path.chmod(0o700)
    inner = tmp_path / "httptop"
    inner.mkdir(mode=0o755)
    file = inner / "config.toml"
    file.write_text("")
    file.chmod(0o600)
    return file


def test_a_file_of_roots_that_changes(file: Path) -> None:
    with batch("--config", str(file)) as run:
        assert field(run, "Uid") == {" ".join([str(NOBODY)] * 4)}
        file.write_text("[sampling]\nper_second = 7\n[performance]\nmax_endpoints = 64\n")
        assert list(islice(said(run.stderr), 2)) == [
            "the configuration was read again: sampling.per_second = 7",
            "only a restart changes performance.max_endpoints",
        ]
        file.write_text("[sampling]\nper_secnd = 7\n")
        run.send_signal(signal.SIGHUP)
        assert list(islice(said(run.stderr), 2)) == [
            "the configuration has errors; the settings are unchanged:",
            f"{file}:2: sampling.per_secnd: unknown key; did you mean 'per_second'?",
        ]
        document(run)
        run.terminate()
        run.communicate(timeout=PATIENCE_S)
        assert run.returncode == 0


def test_nohup_stays_in_force(file: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with batch("--config", str(file), GENERAL__AUTO_RELOAD="false") as run:
            file.write_text("[sampling]\nper_second = 7\n")
            run.send_signal(signal.SIGHUP)
            document(run)
            document(run)
            run.terminate()
            _, errors = run.communicate(timeout=PATIENCE_S)
            told = [line for line in said(errors.splitlines()) if "read too slowly" not in line]
            assert (run.returncode, told) == (0, [])
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_screen_says_what_was_read_again_and_ends_with_its_terminal(file: Path) -> None:
    with terminal("-d", "0.2", "--config", str(file)) as (run, end):
        until(end, "server")
        file.write_text("[ui]\nconfirm_quit = true\n")
        run.send_signal(signal.SIGHUP)
        until(end, "ui.confirm_quit")
        assert run.poll() is None
        end.close()
        assert run.wait(PATIENCE_S) == 0
