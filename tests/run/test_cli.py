"""The program from outside: flags, exit statuses, one clear line for every failure."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from httptop import __version__
from httptop.capture.opening import read_capture
from httptop.cli import main
from httptop.collect.feed import Feed
from httptop.config.load import load
from httptop.config.scope import Scope
from httptop.config.settings import Output, Settings
from httptop.console import command_line, complain
from httptop.errors import HttptopError, Unavailable, UsageError
from httptop.linux.files import invoking_user
from httptop.model import Snapshot
from httptop.run import screen
from httptop.run.arguments import parse
from httptop.run.batch import Rendering
from httptop.run.session import Session
from tests.capture.test_recording import FakeFeed, written
from tests.factory import snapshot_at
from tests.live.pool import cache_directory
from tests.patience import PATIENCE_S


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith(("HTTPTOP_", "SUDO_", "XDG_CONFIG")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("httptop.config.load.SYSTEM_FILE", tmp_path / "etc.toml")
    return tmp_path


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    return written(tmp_path / "some.capture")


def httptop(*words: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "httptop", *map(str, words)]
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        command, **({"capture_output": True, "text": True, "timeout": 60} | options)
    )


def test_a_command_line_can_be_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    called = ["/home/anna/my tree/.venv/bin/httptop", "-b", "--comm", "ngin*"]
    assert command_line(called) == "'/home/anna/my tree/.venv/bin/httptop' -b --comm 'ngin*'"
    monkeypatch.chdir("/usr")
    assert command_line(["bin/httptop"]) == "/usr/bin/httptop"
    module = ["/usr/lib/python3/dist-packages/httptop/__main__.py", "-n", "1"]
    assert command_line(module) == f"{sys.executable} -m httptop -n 1"
    assert command_line(["/usr/bin/pytest", "-q"]) == "httptop"


def test_examples_can_be_pasted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["/opt/x/bin/httptop", "--help"])
    with pytest.raises(SystemExit):
        main(["--help"])
    examples = capsys.readouterr().out.partition("examples:\n")[2].partition("\n\n")[0]
    commands = [line for line in examples.splitlines() if not line.startswith("  # ")]
    assert len(commands) == 9
    for command in commands:
        program, *words = shlex.split(command.removeprefix("  sudo ").strip())
        assert program == "/opt/x/bin/httptop"
        parse(words)


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("httptop: ")
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--nonsense"], "--nonsense"),
        (["--iter", "3"], "--iter"),
        (["stray"], "stray"),
        (["-n", "0"], "from 1"),
        (["-n", "x"], "'x'"),
        (["-d", "0.05"], "--delay: 100ms to 1h"),
        (["-d", "3601"], "--delay"),
        (["-d", "nan"], "--delay"),
        (["--format", "xml"], "text, json"),
        (["-p", "0"], "--pid"),
        (["-p", "1,x"], "--pid"),
        (["--port", "65536"], "--port"),
        (["--status", "6xx1"], "--status"),
        (["--side", "up"], "--side"),
        (["--min-latency", "10"], "10ms"),
        (["--filter", "comm ="], "column 7"),
        (["--filter", "in_flight > 1"], "'in_flight'"),
        (["--pid", "1", "--filter", "pid = 2"], "no pid can match"),
        (["--config", "/none.toml"], "no such file"),
        (["--replay", "/none"], "no such file"),
        (["--replay", "/etc/passwd"], "is not a capture of httptop"),
        (["--replay", "/etc/passwd", "--demo"], "exclude each other"),
        (["--replay", "/a", "--record", "/b"], "exclude each other"),
        (["--export", "pdf"], "csv, har, html), found 'pdf'"),
        (["--export", "csv="], "a file name is needed"),
        (["--export", "csv", "--export", "csv"], "asked for twice"),
        (["--export", "csv=a", "--export", "har=a"], "asked for twice"),
        (["-b", "--export", "csv=-"], "standard output has the snapshots"),
        (["--replay", "/none", "--export", "csv"], "no such file"),
        (["--replay", "/etc/passwd", "--export", "csv"], "is not a capture"),
        (["--set", "general.tik=1"], "did you mean 'general.tick'"),
        (["--set", "general.tick"], "KEY=VALUE"),
        (["--validate-config", "/none.toml"], "no such file"),
        (["--config", "a\x1b[31m"], "\\x1b"),
    ],
)
def test_bad_usage_is_one_line(
    words: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert part in complaint(capsys)


def test_replay_refuses_limits_that_sums_cannot_obey(
    capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--replay", str(capture), "--status", "404"]) == 2
    assert "--replay cannot be limited by status" in complaint(capsys)


def test_flags_repeat_and_take_lists() -> None:
    asked = parse(["-p", "1", "--pid", "2,3", "-d", "1", "-d", "2", "-b", "--status", "5xx,404"])
    assert asked.batch
    assert asked.settings["filter.process.pids"].texts == ("1", "2,3")
    assert asked.settings["general.tick"].texts == ("2",)
    with pytest.raises(UsageError):
        parse(["-p"])


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--version"], ["--help"], ["-h"]):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 0
    out, _ = capsys.readouterr()
    assert f"httptop {__version__}\n" in out
    for flag in ("--batch", "--iterations", "--delay", "--pid", "--replay", "--doctor", "77"):
        assert flag in out


def test_print_config_says_where_from(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = home / "my.toml"
    file.write_text('[general]\nwindow = "30s"\n')
    monkeypatch.setenv("HTTPTOP_FILTER__PROCESS__PIDS", "1, 2")
    assert main(["--print-config", "--config", str(file), "-d", "2"]) == 0
    out, _ = capsys.readouterr()
    lines = {line.split(" = ")[0]: line for line in out.splitlines()}
    assert lines["general.tick"].split() == ["general.tick", "=", '"2s"', "#", "--delay"]
    assert lines["general.window"].endswith(f"# {file}")
    assert lines["filter.process.pids"].startswith("filter.process.pids = [1, 2] ")
    assert lines["filter.process.pids"].endswith("# HTTPTOP_FILTER__PROCESS__PIDS")
    assert lines["ui.theme"].endswith("# default")


def test_save_load_save(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--save-config", "--status", "5xx", "--set", "ui.sort=p99"]) == 0
    path = home / ".config/httptop/config.toml"
    assert capsys.readouterr().out == f"{path}\n"
    first = path.read_bytes()
    assert b'status = ["5xx"]' in first
    assert main(["--save-config"]) == 0
    assert path.read_bytes() == first
    assert main(["--validate-config"]) == 0
    assert main(["--validate-config", str(path)]) == 0
    assert "no error" in capsys.readouterr().out


def test_save_overwrites_nothing_foreign(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for content in (b"no toml at all", b"\x7fELF\0\0"):
        file = home / "precious"
        file.write_bytes(content)
        assert main(["--save-config", str(file)]) == 2
        assert "nothing was written" in complaint(capsys)
        assert file.read_bytes() == content


def test_validate_lists_every_error(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = home / "bad.toml"
    file.write_text('[general]\ntik = 1\n[output]\nformat = "xml"\n')
    assert main(["--validate-config", str(file)]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"httptop: {file}:2: general.tik: unknown key; did you mean 'tick'?",
        f"httptop: {file}:4: output.format: one of text, json is needed, found 'xml'",
    ]
    file.write_text('[filter]\nexpression = "in_flight > 1"\n')
    assert main(["--validate-config", str(file)]) == 2
    assert f"{file}:2: filter.expression: filter 'in_flight > 1'" in capsys.readouterr().err
    file.write_text("[ui]\nfilter = 'path ~ /(a+)\\1$/'\n")
    assert main(["--validate-config", str(file)]) == 2
    said = capsys.readouterr().err
    assert f"{file}:2: ui.filter: " in said
    assert "refused: it refers to a group" in said


def test_replay_in_batch(capture: Path) -> None:
    ran = httptop("--replay", capture, "--format", "json", "-d", "0.1", "-n", "3")
    assert (ran.returncode, ran.stderr) == (0, "")
    ticks = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [tick["final"] for tick in ticks] == [False, False, True]
    first, *later = (tick["uptime_s"] for tick in ticks)
    assert first == 1
    assert first < later[0] < later[1]  # on a busy machine some are passed over
    text = httptop("--replay", capture, "-d", "0.1", "-n", "1").stdout
    assert "/users/{id}" in text


def test_replay_of_a_damaged_capture(capture: Path) -> None:
    content = capture.read_bytes()
    capture.write_bytes(content[:-40])
    ran = httptop("--replay", capture, "-d", "0.1", "--format", "json")
    assert ran.returncode == 0
    assert "cut off" in ran.stderr
    assert json.loads(ran.stdout.splitlines()[-1])["final"] is True


def test_a_signal_ends_it_with_0(capture: Path) -> None:
    command = [sys.executable, "-m", "httptop", "--replay", str(capture), "--format", "json"]
    for number in (signal.SIGINT, signal.SIGTERM):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline())["final"] is False
            process.send_signal(number)
            rest = process.stdout.read().splitlines()
        assert process.returncode == 0
        assert json.loads(rest[-1])["final"] is True


def test_a_closed_pipe_ends_it_with_0(capture: Path) -> None:
    command = [sys.executable, "-m", "httptop", "--replay", str(capture), "-d", "60"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        began = time.monotonic()
        process.stdout.close()
        assert process.wait(PATIENCE_S) == 0
        assert time.monotonic() - began < 5
        assert process.stderr.read() == ""


def live(monkeypatch: pytest.MonkeyPatch, open_live: object) -> None:
    """Put ``open_live`` in the place of the one that loads probes."""
    monkeypatch.setattr("httptop.run.live.open_live", open_live)


def test_where_live_tracing_is_not_possible_there_is_one_line_and_77(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def refuse(*asked: object, **more: object) -> Feed:  # noqa: ARG001
        raise Unavailable("run it as root: sudo httptop")

    live(monkeypatch, refuse)
    precious = tmp_path / "precious"
    precious.write_text("x")
    assert main(["--batch", "--demo", "--record", str(precious)]) == 77
    assert complaint(capsys) == "httptop: run it as root: sudo httptop\n"
    assert precious.read_text() == "x"


def test_live_gets_settings_and_scope_and_is_recorded(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], home: Path, tmp_path: Path
) -> None:
    own = home / ".config/httptop/config.toml"
    asked: list[tuple[Settings, Scope, bool]] = []

    def start(
        settings: Settings,
        scope: Scope,
        session: Session,
        *,
        demo: bool,
        screen: bool,
        written: bool,
        tell: Callable[[str], None],
        doing: object,  # noqa: ARG001
        read: object,
        save: Path,
        export: object,
    ) -> Feed:
        assert session.pids == ()
        assert written == ("text" not in words or "--record" in words)
        assert not screen
        assert export is None
        assert tell is complain
        assert (read, save) == ((home / "etc.toml", own), own)
        asked.append((settings, scope, demo))
        return FakeFeed()

    live(monkeypatch, start)
    capture = tmp_path / "new"
    words = ["-b", "-n", "2", "--format", "json", "-p", "7", "--record", str(capture), "-d", "0.5"]
    assert main(words) == 0
    ((settings, scope, demo),) = asked[:1]
    assert (settings.general.tick_s, scope.describe(), demo) == (0.5, ("pid = 7",), False)
    printed = capfd.readouterr().out.splitlines()
    assert [json.loads(line)["final"] for line in printed] == [False, True]
    with capture.open("rb") as file:
        assert [tick.final for tick in read_capture(file)][-1]
    for words in (["-b", "-n", "2", "--format", "text"], ["-b", "-n", "2", "--format", "json"]):
        assert main(words) == 0
    assert len(asked) == 3


def test_a_failure_of_the_feed_is_one_line_and_1(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    class Failing(FakeFeed):
        def start(
            self,
            publish: Callable[[Snapshot], None],  # noqa: ARG002
            fail: Callable[[BaseException], None],
        ) -> None:
            fail(HttptopError("the loader died"))

    live(monkeypatch, lambda *asked, **more: Failing())  # noqa: ARG005
    assert main(["--batch"]) == 1
    assert complaint(capfd) == "httptop: the loader died\n"


def test_an_unforeseen_error_is_one_line_and_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    live(monkeypatch, lambda *asked, **more: 1 // 0)  # noqa: ARG005
    assert main(["--batch"]) == 1
    assert "ZeroDivisionError" in complaint(capsys)


def test_the_screen_has_its_own_window_unless_a_flag_says_otherwise(home: Path) -> None:
    def window_s(*words: str) -> float:
        config = load(parse(words).settings, os.environ, invoking_user(os.environ))
        return screen.settings_for_screen(config, {}).general.window_s

    assert window_s() == 10
    assert window_s("--window", "30s") == 30
    assert window_s("--set", "general.window=31") == 31
    assert main(["--save-config", str(home / ".config/httptop/config.toml")]) == 0
    assert window_s() == 10
    assert window_s("--set", "ui.window=12") == 12


def test_the_screen_has_the_order_of_the_flag() -> None:
    def sort(*words: str) -> str:
        config = load(parse(words).settings, os.environ, invoking_user(os.environ))
        return screen.settings_for_screen(config, {}).ui.sort

    assert sort() == sort("--set", "output.sort=p99") == "rps"
    assert sort("--sort", "p99") == sort("--sort=p99", "--set", "ui.sort=path") == "p99"
    assert sort("--set", "ui.sort=path") == "path"


def test_the_console_of_linux_gets_plain_symbols_unless_told_otherwise() -> None:
    def symbols(term: str, *words: str) -> str:
        config = load(parse(words).settings, os.environ, invoking_user(os.environ))
        return screen.settings_for_screen(config, {"TERM": term}).ui.symbols

    assert symbols("linux") == "ascii"
    assert symbols("xterm-256color") == "braille"
    assert symbols("linux", "--set", "ui.symbols=block") == "block"
    assert symbols("vt220") == "ascii"


def test_a_thread_that_will_not_end_does_not_keep_the_process() -> None:
    program = """
import threading, time
from httptop import __main__, cli
def run(session):
    threading.Thread(target=time.sleep, args=(60,)).start()
    print("said")
    return 7
cli.main = run
raise SystemExit(__main__.main())
"""
    ran = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (7, "said\n")


@pytest.mark.parametrize(
    "words",
    [["--print-config"], ["--help"], ["--version"], ["--doctor"], ["-b", "-n", "1", "--replay"]],
    ids=lambda words: words[0],
)
def test_an_output_that_cannot_be_written_is_one_line_and_1(
    words: list[str], capture: Path
) -> None:
    if words[-1] == "--replay":
        words = [*words, str(capture)]
    environ = {**os.environ, "HTTPTOP_PERFORMANCE__CACHE": cache_directory()}
    with open("/dev/full", "w") as full:
        ran = httptop(
            *words, capture_output=False, stdout=full, stderr=subprocess.PIPE, env=environ
        )
    assert ran.returncode == 1
    errors = [line for line in ran.stderr.splitlines() if "still being compiled" not in line]
    assert errors == ["httptop: cannot write the output: no space left on device"]


@pytest.mark.parametrize("words", [["--print-config"], ["--help"], ["--version"]])
def test_a_reader_that_is_gone_is_no_failure(words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as closed:
        ran = httptop(*words, capture_output=False, stdout=closed, stderr=subprocess.PIPE)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_text_has_a_note_where_it_is_new() -> None:
    rendering = Rendering(Output)

    def printed(*notes: str, final: bool = False) -> list[str]:
        shown = rendering.render(replace(snapshot_at(1), notes=notes, final=final))
        return [line for line in shown.splitlines() if line.startswith("note: ")]

    assert printed("it stays root") == ["note: it stays root"]
    assert printed("it stays root", "3 were missed") == ["note: 3 were missed"]
    assert printed("it stays root", "4 were missed") == ["note: 4 were missed"]
    assert printed("it stays root", "4 were missed", final=True) == []


def test_json_has_all_notes_always() -> None:
    rendering = Rendering(lambda: Output("json"))
    noted = replace(snapshot_at(1), notes=("it stays root",))
    for _ in range(2):
        assert json.loads(rendering.render(noted))["notes"] == ["it stays root"]
