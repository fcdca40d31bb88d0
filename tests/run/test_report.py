"""``--export``: where reports go, what they are made of, and how such a run ends."""

from __future__ import annotations

import csv
import json
import resource
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from httptop.capture.frames import MARKER
from httptop.cli import main
from httptop.report import FORMATS
from tests.capture.test_recording import FakeFeed, written
from tests.factory import request, snapshot_at
from tests.report.test_har import valid
from tests.run.test_cli import home, httptop, live

__all__ = ["home"]


@pytest.fixture
def capture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return written(tmp_path / "some.capture")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_capture_becomes_all_reports_without_a_screen_or_root(
    capture: Path, tmp_path: Path
) -> None:
    words = [word for kind in FORMATS for word in ("--export", kind)]
    ran = httptop("--replay", capture, *words, cwd=tmp_path)  # seccomp included
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines() == ["some.csv", "some.har", "some.html"]
    printed = httptop("--replay", capture, "--format", "json", "-d", "0.1").stdout
    final = json.loads(printed.splitlines()[-1])
    rows = rows_of(tmp_path / "some.csv")
    assert len(rows) == len(final["endpoints"])
    for side, totals in final["totals"].items():
        requests = sum(int(one["requests"]) for one in rows if one["side"] == side)
        assert requests == totals["requests"]
    log = json.loads((tmp_path / "some.har").read_text())["log"]
    valid(log)
    assert len(log["entries"]) == 18  # those of all snapshots, not of the last one alone
    for kind in FORMATS:
        assert stat.S_IMODE((tmp_path / f"some.{kind}").stat().st_mode) == 0o600
    assert (tmp_path / "some.html").read_text().endswith("</html>\n")


def test_it_goes_to_standard_output_or_to_a_file_and_replaces_its_own_kind_alone(
    capture: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert not main(words := replay(capture, "csv=-", "html=page.html"))
    out, err = capfdbinary.readouterr()
    assert out.startswith(b"host,time,side,")
    assert err == b"httptop: page.html\n"
    before = (tmp_path / "page.html").read_bytes()
    assert not main([*words, "-n", "1"])
    assert (tmp_path / "page.html").read_bytes() != before
    for precious in ("host,x\n", "<!doctype html>\n<p>mine", "httptop,a\n"):
        (tmp_path / "page.html").write_text(precious)
        assert main(words) == 2
        assert b"has not written it" in capfdbinary.readouterr().err
        assert (tmp_path / "page.html").read_text() == precious


def replay(capture: Path, *exports: str) -> list[str]:
    """Return the words; without seccomp, since this process goes on."""
    words = ["--replay", str(capture), "--set", "security.seccomp=false"]
    return words + [word for one in exports for word in ("--export", one)]


def test_a_filter_limits_it_and_it_says_so(capture: Path, tmp_path: Path) -> None:
    assert not main([*replay(capture, "csv", "html"), "--side", "client"])
    assert [one["process"] for one in rows_of(tmp_path / "some.csv")] == ["curl"]
    assert "Limited to: side = client" in (tmp_path / "some.html").read_text()


def test_what_is_cut_off_or_damaged_is_reported_as_far_as_it_goes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    plain = written(tmp_path / "plain.capture")
    first, *others = plain.read_bytes().split(MARKER)
    lines = [first, *(MARKER + frame for frame in others)]
    torn = lines[3][:-1] + bytes([lines[3][-1] ^ 1])
    for tail, status, said in ((lines[3][:50], 0, "cut off"), (torn, 2, "is damaged at byte")):
        plain.write_bytes(b"".join(lines[:3]) + tail)
        assert main(replay(plain, "csv", "html")) == status
        assert said in capfd.readouterr().err
        assert rows_of(tmp_path / "plain.csv")[0]["requests"] == "24"  # of the second snapshot
        assert "this is what stands before that" in (tmp_path / "plain.html").read_text()
    before = (tmp_path / "plain.html").read_bytes()
    plain.write_bytes(lines[0])
    assert main(replay(plain, "html")) == 2
    assert "holds no snapshot" in capfd.readouterr().err
    assert (tmp_path / "plain.html").read_bytes() == before


def test_files_are_masked_as_captures_are(capture: Path, tmp_path: Path) -> None:
    secret = request(1, path="/a?token=hunter2", request_head=("Host: h", "Cookie: id=hunter2"))
    written(capture, (replace(snapshot_at(1), recent=(secret,)),))
    assert not main(replay(capture, "har", "html"))
    for kind in ("har", "html"):
        assert "hunter2" not in (tmp_path / f"some.{kind}").read_text()
    words = replay(capture, "har=open.har")
    for name in ("redact", "redact_captures"):
        words += ["--set", f"security.{name}=off"]
    assert not main(words)
    assert "hunter2" in (tmp_path / "open.har").read_text()


def test_a_batch_run_has_its_reports_at_its_end(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    live(monkeypatch, lambda *_, **__: FakeFeed())
    monkeypatch.chdir(tmp_path)
    assert not main(["--quiet", "--export", "csv", "--export", "har=a.har", "--export", "html=b"])
    assert [line.split()[-1] for line in capfd.readouterr().err.splitlines()][1:] == ["a.har", "b"]
    (named,) = tmp_path.glob("httptop-*.csv")
    assert rows_of(named)[0]["requests"] == "72"
    assert len(json.loads((tmp_path / "a.har").read_text())["log"]["entries"]) == 18
    monkeypatch.setattr("httptop.cli.can_draw", lambda _: True)
    assert main(["--export", "csv"]) == 2
    assert "--export needs a batch run" in capfd.readouterr().err


def test_a_report_that_cannot_be_written_whole_is_emptied(capture: Path, tmp_path: Path) -> None:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    ran = httptop("--replay", capture, "--export", "html", cwd=tmp_path, preexec_fn=limited)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == "httptop: cannot write the report some.html: file too large\n"
    assert (tmp_path / "some.html").read_bytes() == b""
