"""The doctor's judgement of the service: units as systemd would read them, and a real trial."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from httptop.doctor import as_service, service
from httptop.doctor.checks import Check
from httptop.doctor.unit import NAME, installed_unit
from httptop.linux.capabilities import CAP_BPF, CAP_PERFMON
from tests.contrib import CONTRIB
from tests.doctor.test_doctor import GOOD, USER
from tests.live.command import NOBODY, readable
from tests.live.test_service import UNIT

OURS = CONTRIB / "systemd" / NAME
TWO = 1 << CAP_BPF | 1 << CAP_PERFMON


def placed(root: Path, text: str = "", **drop_ins: str) -> Path:
    """Put the unit, or another text, and drop-ins where systemd finds them; return the root."""
    directory = root / "etc/systemd/system"
    directory.mkdir(parents=True)
    (directory / NAME).write_text(text or OURS.read_text())
    (directory / f"{NAME}.d").mkdir()
    for name, changed in drop_ins.items():
        (directory / f"{NAME}.d" / f"{name}.conf").write_text(changed)
    return root


def said(root: Path) -> dict[str, Check]:
    return {check.name: check for check in service.manager(root, installed_unit(root))}


def test_our_own_unit_is_read_as_it_is_meant(tmp_path: Path) -> None:
    unit = installed_unit(placed(tmp_path))
    assert unit is not None
    assert unit.program == "/usr/local/bin/httptop"
    assert not unit.is_root
    assert unit.words("AmbientCapabilities") == ["CAP_BPF", "CAP_PERFMON"]
    found = said(tmp_path)
    assert found["Rights"].ok
    assert found["Cache"] == Check("Cache", True, "/var/cache/httptop-service")
    assert not {*found} & {"PrivateNetwork", "PrivateUsers", "ProtectProc", "ProcSubset"}


def test_drop_ins_change_it_in_the_order_of_their_names(tmp_path: Path) -> None:
    placed(
        tmp_path,
        b20="[Service]\nExecStart=\nExecStart=-/opt/a \\\n  --quiet\n",
        b10="# no\n[Service]\nExecStart=\nExecStart=/opt/b\nPrivateNetwork=yes\n"
        "[Unit]\nUser=root\n",
    )
    below = tmp_path / f"usr/lib/systemd/system/{NAME}.d"
    below.mkdir(parents=True)
    (below / "b20.conf").write_text("[Service]\nProtectProc=invisible\n")  # /etc has one, too
    (below / "c.conf").write_text("[Service]\nProtectProc=default\n")
    unit = installed_unit(tmp_path)
    assert unit is not None
    assert [path.name for path in unit.drop_ins] == ["b10.conf", "b20.conf", "c.conf"]
    assert unit.program == "/opt/a"
    found = said(tmp_path)
    assert found["PrivateNetwork"].ok is None
    assert "ProtectProc" not in found
    assert "b10.conf" in found["Unit"].finding


@pytest.mark.parametrize(
    ("text", "name", "ok", "finding"),
    [
        ("DynamicUser=yes\nAmbientCapabilities=CAP_BPF", "Rights", False, "not give CAP_PERFMON"),
        ("User=web\nAmbientCapabilities=CAP_SYS_ADMIN", "Rights", True, "web, with"),
        ("User=root", "Rights", None, "it is root"),
        ("DynamicUser=1\nAmbientCapabilities=cap_bpf", "Cache", None, "some seconds"),
        ("ExecStart=/no/such/httptop", "Program", False, "/no/such/httptop is not there"),
        ('ExecStart="/no', "Program", False, "is not there"),
        ("", "Program", False, "is not there"),
        ("ExecStart=/bin/true\nProcSubset=pid", "ProcSubset", False, "reads more of /proc"),
        ("ExecStart=/bin/true\nPrivateUsers=yes", "PrivateUsers", False, "do not count"),
        ("ExecStart=/bin/true", "Program", None, "sudo /bin/true --doctor --service"),
    ],
)
def test_what_is_amiss_with_a_unit_has_a_command(
    tmp_path: Path, text: str, name: str, ok: bool | None, finding: str
) -> None:
    check = said(placed(tmp_path, f"[Service]\n{text}\n"))[name]
    assert check.ok is ok
    assert finding in f"{check.finding} {check.remedy}"
    assert ok is not False or check.remedy


def test_a_unit_that_is_missing_matters_where_systemd_runs(tmp_path: Path) -> None:
    assert said(tmp_path)["Unit"].ok is None
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    unit = said(tmp_path)["Unit"]
    assert unit.ok is False
    words = unit.remedy.split()
    assert words[:2] == ["sudo", "cp"]
    assert Path(words[2]).read_text() == OURS.read_text()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_itself_is_asked(tmp_path: Path) -> None:
    text = OURS.read_text().replace("/usr/local/bin/httptop", "/bin/true")
    unit = installed_unit(placed(tmp_path, text))
    assert unit is not None
    (good,) = service.verified(unit)
    assert good.ok
    unit.path.write_text(text.replace("[Service]", "[Service]\nProtectAll=yes"))
    (bad,) = service.verified(unit)
    assert not bad.ok
    assert "ProtectAll" in bad.finding
    assert [*service.verified(unit, "/no/such/program")] == []


def test_who_has_no_rights_is_told_who_has(capsys: pytest.CaptureFixture[str]) -> None:
    assert service.main(USER) == 77
    assert "sudo " in capsys.readouterr().out


def test_a_configuration_that_it_cannot_use_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(as_service, "tried", lambda _: [])
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HTTPTOP_GENERAL__WINDOW", "soon")
    assert service.main(replace(GOOD, euid=1000, capabilities=TWO)) == 77
    told = capsys.readouterr().out
    assert "HTTPTOP_GENERAL__WINDOW" in told
    assert told.splitlines()[0] == "As user 1000:"
    assert "--validate-config" in told.splitlines()[-1]


def test_a_cache_of_others_is_told_and_forbids_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(as_service, "tried", lambda _: [])
    monkeypatch.setenv("HOME", str(tmp_path))
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)

    def cache(directory: Path) -> Check:
        monkeypatch.setenv("HTTPTOP_PERFORMANCE__CACHE", str(directory))
        found = as_service.findings(replace(GOOD, euid=1000, capabilities=TWO))
        return next(check for check in found if check.name == "Cache")

    assert cache(shared).ok is None
    shared.chmod(0o700)
    assert cache(shared).ok


@pytest.mark.ebpf
def test_root_tries_it_with_the_rights_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    python, environ = readable()
    for name in ("PYTHONPATH", "HOME"):
        monkeypatch.setenv(name, environ.get(name, "/"))
    # A service has neither of the two: what is tried is read from where everybody may read it.
    command = (python, "-P", "-c", _PATHED.format(environ["PYTHONPATH"]))
    monkeypatch.setattr(service, "_TRIAL", command)
    variables = {"HTTPTOP_GENERAL__WINDOW": "soon", "PATH": "/unit"}
    found = {check.name: check for check in service.trial(variables)}
    assert found["Probes"].ok is not False
    assert found["Privileges"] == Check("Privileges", True, "the capabilities suffice")
    assert found["Not seen"].ok is None
    assert [name for name, check in found.items() if check.ok is False] == ["Configuration"]
    assert "HTTPTOP_GENERAL__WINDOW" in found["Configuration"].finding


_PATHED = """
import os, sys
sys.path.insert(0, {0!r})
os.environ["PYTHONPATH"] = {0!r}
from httptop.doctor import as_service
sys.exit(as_service.main())
"""


@pytest.mark.ebpf
def test_a_python_that_others_cannot_run_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "python3"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    monkeypatch.setattr(service, "_TRIAL", (str(program),))
    (found,) = service.trial({})
    assert found.ok is False
    assert "cannot run" in found.finding
    assert "make install" in found.remedy


@pytest.mark.ebpf
def test_the_service_itself_can_ask() -> None:
    python, environ = readable()
    words = [python, "-P", "-m", "httptop", "--doctor", "--service"]
    ran = subprocess.run(
        [*UNIT, *words],
        env=environ | {"HOME": "/"},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout + ran.stderr
    assert f"As user {NOBODY}:" in ran.stdout
    assert ran.stdout.endswith("The service works here.\n")
    one = [*UNIT[:-3], "--inh-caps=-all,+cap_39", "--ambient-caps=-all,+cap_39", *words]
    ran = subprocess.run(
        one, env=environ | {"HOME": "/"}, cwd="/", capture_output=True, text=True, check=False
    )
    assert ran.returncode == 77
    assert "sudo " in ran.stdout


def test_findings_come_through_a_pipe() -> None:
    check = Check("a", None, "b", "c")
    line = json.dumps({"name": "a", "ok": None, "finding": "b", "remedy": "c"})
    assert Check(**service._fields(line)) == check
    assert sys.executable in service._TRIAL
