"""Settings: their sources, their errors, and how they are saved."""

from __future__ import annotations

import contextlib
import os
import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.config.load import Config, Flag, build, check_file, load, user_file
from httptop.config.problems import MOST_PROBLEMS, ConfigError
from httptop.config.settings import BY_KEY, DEFAULTS, SETTINGS, Setting
from httptop.config.toml_document import settings_table, to_toml
from httptop.config.toml_lines import too_deep
from httptop.linux.files import (
    FileError,
    InvokingUser,
    create,
    invoking_user,
    read_text,
    write_text,
)

#: For each setting: a text that is allowed and not the default, and one that is not allowed.
EXAMPLES = {
    "general.enabled": ("false", "no"),
    "general.tick": ("2s", "0.05"),
    "general.window": ("30s", "1ms"),
    "general.forget": ("2m", "-1s"),
    "general.history": ("30", "1"),
    "general.process_name": ("thread", "exe"),
    "general.shutdown_timeout": ("2s", "0"),
    "general.auto_reload": ("false", "0"),
    "general.log_level": ("debug", "loud"),
    "general.log_file": ("/var/log/httptop.log", "httptop.run.log"),
    "filter.expression": ("comm = a", "comm ="),
    "filter.process.pids": ("1001,1002", "0"),
    "filter.process.exclude_pids": ("3,4", "0"),
    "filter.process.min_pid": ("1000", "0"),
    "filter.process.names": ("a*,b", "a,,b"),
    "filter.process.exclude_names": ("c*", "c,"),
    "filter.process.users": ("root,65534", "no such user"),
    "filter.process.containers": ("web*", "a,,b"),
    "filter.network.ports": ("80,443", "65536"),
    "filter.network.exclude_ports": ("22", "0"),
    "filter.network.addresses": ("127.0.0.0/8,::1/128", "10.0.0.0/33"),
    "filter.network.exclude_addresses": ("192.168.1.1/32", "everywhere"),
    "filter.network.localhost_only": ("true", "1"),
    "filter.network.unix_sockets": ("false", "0"),
    "filter.http.methods": ("GET,POST", "G T"),
    "filter.http.paths": ("/a/*", "/a\x1b"),
    "filter.http.exclude_paths": ("/health", "/a,"),
    "filter.http.hosts": ("*.example.org", "example.org:80"),
    "filter.http.status": ("5xx,404", "6"),
    "filter.http.versions": ("1.0", "2"),
    "filter.http.min_latency": ("10ms", "10"),
    "filter.http.max_latency": ("1s", "2h"),
    "filter.http.min_request_bytes": ("100", "-1"),
    "filter.http.max_request_bytes": ("4KiB", "4 parsecs"),
    "filter.http.min_response_bytes": ("1MiB", "many"),
    "filter.http.max_response_bytes": ("1GiB", "1.2.3"),
    "filter.events.side": ("client", "left"),
    "filter.events.reads": ("false", "0"),
    "filter.events.writes": ("false", "off"),
    "filter.events.connects": ("false", ""),
    "filter.events.accepts": ("false", "nope"),
    "filter.events.own": ("true", "mine"),
    "paths.templates": ("/users/{name}/posts/*", "/users/{name"),
    "paths.keep": ("/files/*", "files/*"),
    "paths.id_rules": ("number,hex", "words"),
    "paths.max_distinct": ("100", "0"),
    "paths.max_not_found": ("0", "-1"),
    "sampling.strategy": ("random", "best"),
    "sampling.rate": ("0.25", "1.5"),
    "sampling.per_second": ("7", "-1"),
    "sampling.burst": ("20", "0"),
    "sampling.slow_threshold": ("1s", "0"),
    "output.format": ("json", "xml"),
    "output.active": ("true", "0"),
    "output.sort": ("p99", "speed"),
    "output.in_flight": ("true", "0"),
    "output.quiet": ("true", "0"),
    "request_log.to": ("/var/log/requests.json,syslog:", "requests.json"),
    "request_log.format": ("combined", "%h %y"),
    "fleet.host_label": ("node", "k8s-node"),
    "fleet.max_endpoints": ("500", "1"),
    "fleet.timeout": ("3s", "0"),
    "metrics.bounds": ("1ms,10ms,1s", "10ms,1ms"),
    "prometheus.listen": ("[::1]:9742", ":9742"),
    "prometheus.native": ("false", "0"),
    "otlp.endpoint": ("http://localhost:4318", "localhost:4317"),
    "otlp.metrics": ("false", "0"),
    "otlp.spans": ("false", "0"),
    "otlp.interval": ("10s", "0.1s"),
    "otlp.histogram": ("explicit", "classic"),
    "otlp.temporality": ("delta", "both"),
    "otlp.timeout": ("2s", "0"),
    "otlp.compression": ("none", "zstd"),
    "otlp.headers_file": ("/etc/httptop/headers", "headers"),
    "otlp.certificate": ("/etc/ssl/ca.pem", "ca.pem"),
    "performance.max_endpoints": ("1024", "1"),
    "performance.max_connections": ("2048", "1"),
    "performance.max_histograms": ("2048", "65536"),
    "performance.max_pipelined": ("2048", "1"),
    "metrics.max_series": ("100", "15"),
    "performance.max_users": ("128", "1"),
    "performance.ring_buffer": ("128KiB", "100000"),
    "performance.batch_size": ("100", "0"),
    "performance.cache": ("/root/cache", "cache"),
    "performance.cpu_affinity": ("0,1", "-1"),
    "performance.nice": ("-5", "20"),
    "performance.max_overhead_percent": ("2.5", "lots"),
    "security.drop_privileges": ("false", "0"),
    "security.user": ("nobody", "no such user"),
    "security.keep_no_capabilities": ("false", "0"),
    "security.seccomp": ("false", "0"),
    "security.allow_root_ui": ("false", "0"),
    "security.redact": ("strict", "none"),
    "security.redact_captures": ("off", "no"),
    "security.shown_fields": ("x-token", "x token"),
    "security.max_captured_bytes": ("64", "2KiB"),
    "ui.window": ("30s", "1ms"),
    "ui.refresh": ("2s", "2h"),
    "ui.theme": ("light", "nord"),
    "ui.symbols": ("ascii", "emoji"),
    "ui.columns": ("path,rps,p99", "path,p98"),
    "ui.sort": ("p99", "p98"),
    "ui.side": ("client", "both"),
    "ui.filter": ("status = 5xx", "host = a"),
    "ui.latency_unit": ("ms", "minutes"),
    "ui.byte_units": ("si", "bits"),
    "watches.rules": ("any p99 > 2s,all rate < 1/s for 1m", "any p99"),
    "ui.alert": ("bell", "ring"),
    "ui.confirm_quit": ("true", "maybe"),
    "ui.keys": ("pause=space", "pause=r"),
}


@pytest.fixture
def invoker(tmp_path: Path) -> InvokingUser:
    return InvokingUser(os.geteuid(), os.getegid(), tmp_path / "home")


def loaded(invoker: InvokingUser, text: str, tmp_path: Path, **environ: str) -> Config:
    file = tmp_path / "some.toml"
    file.write_text(text)
    return load({}, environ, invoker, file)


def errors(invoker: InvokingUser, text: str, tmp_path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(invoker, text, tmp_path)
    return [str(problem).removeprefix(f"{tmp_path}/") for problem in caught.value.problems]


def test_every_setting_has_an_example() -> None:
    assert set(EXAMPLES) == set(BY_KEY)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
def test_precedence(setting: Setting, invoker: InvokingUser, tmp_path: Path) -> None:
    value = setting.kind.parse_text(EXAMPLES[setting.key][0])
    shown = setting.kind.show(value)
    assert value != setting.default
    assert setting.kind.parse(tomllib.loads(f"x = {shown}")["x"]) == value
    assert setting.kind.parse(tomllib.loads(f"x = {setting.kind.show(setting.default)}")["x"]) == (
        setting.default
    )
    key = f"{setting.section}.{setting.name}"
    default = setting.kind.show(setting.default)
    system = tmp_path / "etc.toml"
    system.write_text(f"{key} = {shown}")

    def effective(flags: dict[str, Flag], environ: dict[str, str]) -> tuple[object, str]:
        config = load(flags, environ, invoker, system_file=system)
        return setting.of(config.settings), config.origins[setting.key]

    assert effective({}, {}) == (value, str(system))
    users = user_file({}, invoker)
    users.parent.mkdir(parents=True)
    users.write_text(f"{key} = {default}")
    assert effective({}, {}) == (setting.default, str(users))
    environ = {setting.variable: EXAMPLES[setting.key][0]}
    assert effective({}, environ) == (value, setting.variable)
    plain = default.strip("[]").replace('"', "").replace(", ", ",")
    flag = {setting.key: Flag("--it", (plain,))}
    assert effective(flag, environ) == (setting.default, "--it")
    config = load({}, {}, invoker, file=system)
    assert setting.of(config.settings) == value


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
def test_what_is_not_allowed_is_an_error(
    setting: Setting, invoker: InvokingUser, tmp_path: Path
) -> None:
    wrong = EXAMPLES[setting.key][1]
    with pytest.raises(ConfigError) as caught:
        load({setting.key: Flag("--it", (wrong,))}, {setting.variable: wrong}, invoker)
    assert [problem.where for problem in caught.value.problems] == [setting.variable, "--it"]
    (error,) = errors(invoker, f"{setting.key} = 1979-05-27", tmp_path)
    assert error.startswith(f"some.toml:1: {setting.key}: ")


def test_all_errors_at_once_with_their_lines(invoker: InvokingUser, tmp_path: Path) -> None:
    text = """\
[general]
tick = "1 fortnight"
windw = "json"

[filter.process]
pidz = [1]
pids = [0, 2]

[filter]
http = 3
[nonsense]
a = 1
"""
    assert errors(invoker, text, tmp_path) == [
        "some.toml:2: general.tick: unknown unit 'fortnight': use ns, us, ms, s, m or h, "
        "found '1 fortnight'",
        "some.toml:3: general.windw: unknown key; did you mean 'window'?",
        "some.toml:6: filter.process.pidz: unknown key; did you mean 'pids'?",
        "some.toml:7: filter.process.pids: 1 to 4194304 is allowed, found [0, 2]",
        "some.toml:10: filter.http: a table is needed: [filter.http], found 3",
        "some.toml:11: nonsense: unknown key",
    ]


def test_a_key_in_the_wrong_place_is_found(invoker: InvokingUser, tmp_path: Path) -> None:
    assert errors(invoker, "pids = [1]", tmp_path) == [
        "some.toml:1: pids: unknown key; did you mean 'filter.process.pids'?"
    ]


def test_an_unknown_variable_is_an_error(invoker: InvokingUser) -> None:
    with pytest.raises(ConfigError, match="did you mean 'HTTPTOP_GENERAL__TICK'"):
        load({}, {"HTTPTOP_GENERAL__TIK": "1"}, invoker)
    load({}, {"HTTPTOP_OTHER": "1"}, invoker)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\na = = 1\n", "some.toml:2: invalid TOML: Invalid value at column 5"),
        (b"a = 1\nb = ", "some.toml:2: invalid TOML: Invalid value (at end of document)"),
        (b"\xff\xfe", "not a text file: byte 0 is not UTF-8"),
        (b"a = 1\0", "NUL"),
        (b"#" * ((1 << 20) + 1), "larger than 256 KiB"),
        (b"a = " + b"[" * 100_000, "invalid TOML"),
    ],
)
def test_files_that_are_no_configuration(
    content: bytes, message: str, invoker: InvokingUser, tmp_path: Path
) -> None:
    file = tmp_path / "some.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        check_file(file, invoker)
    assert message in str(caught.value)
    assert file.read_bytes() == content


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("".join(f"k{i} = 1\n" for i in range(20000)), "unknown key", id="keys"),
        pytest.param("".join(f"[t{i}]\n" for i in range(20000)), "unknown key", id="tables"),
        pytest.param(
            "[ui]\n" + "".join(f"sor{i} = 1\n" for i in range(20000)),
            "did you mean",
            id="like ours",
        ),
    ],
)
def test_errors_without_end_are_not_all_listed(
    text: str, told: str, invoker: InvokingUser, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(invoker, text, tmp_path)
    *found, last = str(caught.value).splitlines()
    assert len(found) == MOST_PROBLEMS
    assert all(told in line for line in found)
    assert last == f"these are the first {MOST_PROBLEMS} errors, there may be more"


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("a." * 30_000 + "b", id="bare"),
        pytest.param("a . " * 10_000 + "b", id="spaces"),
        pytest.param("'a'." * 30_000 + "b", id="quoted"),
        pytest.param('"=".' * 30_000 + "b", id="quoted, with what ends keys"),
        pytest.param('"a\\"". ' * 30_000 + "b", id="quoted, with quotation marks"),
        pytest.param("x = {" + "a." * 30_000 + "b = 1} #", id="in a table"),
        pytest.param("x = [{" + "a." * 30_000 + "b", id="in a list"),
    ],
)
def test_a_key_of_many_parts_is_refused_before_it_is_parsed(
    key: str, invoker: InvokingUser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parsed(text: str) -> None:
        raise AssertionError(f"parsed: {len(text)} characters")

    with monkeypatch.context() as patch:
        patch.setattr("httptop.config.load.tomllib.loads", parsed)
        (told,) = errors(invoker, f"[ui]\n{key} = 1\n", tmp_path)
    assert told.endswith("some.toml:2: invalid TOML: a key of too many parts")


@pytest.mark.parametrize(
    "line",
    [
        "# " + "." * 500,
        "tick = '1s' # ....................................................",
        "x = [" + '"10.0.0.0/8", ' * 500 + "]",
        "x = [" + '".example.org", ' * 30 + "]",
        "x = '" + ", ".join(["a.b.c"] * 100) + "'",
        "x = '" + "1." * 33 + "ip6.arpa'",
    ],
)
def test_what_only_has_many_dots_is_parsed(line: str) -> None:
    assert too_deep(line) is None


def test_what_is_no_file(invoker: InvokingUser, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path, message in (
        (tmp_path, "is a directory"),
        (fifo, "no regular file"),
        (tmp_path / "none", "no such file"),
        (Path("a\0b"), "null"),
    ):
        with pytest.raises(ConfigError, match=message):
            check_file(path, invoker)


def test_the_users_file(tmp_path: Path) -> None:
    me = InvokingUser(1000, 1000, tmp_path)
    assert user_file({}, me) == tmp_path / ".config/httptop/config.toml"
    assert user_file({"XDG_CONFIG_HOME": "/x"}, me) == Path("/x/httptop/config.toml")
    under_sudo = InvokingUser(1000, 1000, tmp_path, elevated=True)
    assert user_file({"XDG_CONFIG_HOME": "/x"}, under_sudo) == user_file({}, me)


def test_saved_is_loaded_is_saved(invoker: InvokingUser, tmp_path: Path) -> None:
    # With side = client, and with metrics = false.
    against = {"filter.events.writes", "filter.events.connects", "otlp.spans"}
    changed = build(
        {s.key: s.kind.parse_text(EXAMPLES[s.key][0]) for s in SETTINGS if s.key not in against}
    )
    for effective in (DEFAULTS, changed):
        text = to_toml(effective)
        again = loaded(invoker, text, tmp_path).settings
        assert again == effective
        assert to_toml(again) == text
        assert to_toml(again, text) == text


def test_a_fresh_file_explains_every_setting() -> None:
    text = to_toml(DEFAULTS)
    for setting in SETTINGS:
        assert f"## {setting.doc}" in text
        assert f"{setting.name} = {setting.kind.show(setting.default)}" in text
        assert f"| `{setting.key}` |" in settings_table()


def test_the_documentation_is_up_to_date() -> None:
    page = Path(__file__).parents[2] / "docs" / "settings.md"
    assert page.read_text().endswith(settings_table())


def test_the_users_comments_are_kept(invoker: InvokingUser, tmp_path: Path) -> None:
    text = """\
# mine, at the head
[general]
# fast, for the demo
tick = "0.5s"
## Old explanation of ours.
[sampling]
per_second = 7
# at the end
"""
    once = to_toml(loaded(invoker, text, tmp_path).settings, text)
    assert once.count("# fast, for the demo\n## Time between") == 1
    assert "# mine, at the head" in once
    assert once.endswith("\n\n# at the end\n")
    assert "Old explanation" not in once
    assert to_toml(loaded(invoker, once, tmp_path).settings, once) == once


def test_writes_in_one_step_and_privately(invoker: InvokingUser, tmp_path: Path) -> None:
    path = tmp_path / "new" / "deep" / "config.toml"
    assert write_text(path, "a", invoker) == path
    path.chmod(0o644)
    write_text(path, "b", invoker)
    assert path.read_text() == "b"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["config.toml"]


def test_follows_a_link_of_the_callers_own_only(invoker: InvokingUser, tmp_path: Path) -> None:
    real = tmp_path / "real.toml"
    real.write_text("before")
    link = tmp_path / "link.toml"
    link.symlink_to("real.toml")
    assert write_text(link, "after", invoker) == real
    assert link.is_symlink()
    assert real.read_text() == "after"
    stranger = InvokingUser(invoker.uid + 1, invoker.gid, invoker.home)
    if invoker.uid == 0:
        os.lchown(link, 12345, 12345)
    for write in (lambda: write_text(link, "x", stranger), lambda: create(link, stranger)):
        with pytest.raises(FileError, match="symbolic link of another user"):
            write()
    assert real.read_text() == "after"


def test_does_not_replace_what_is_no_file(invoker: InvokingUser, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="is a directory"):
        write_text(tmp_path, "x", invoker)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(FileError):
        create(fifo, invoker)
    with pytest.raises(FileError, match="no regular file"):
        write_text(fifo, "x", invoker)


root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")


@root_only
def test_under_sudo_files_belong_to_the_user_who_called(tmp_path: Path) -> None:
    invoker = invoking_user({"SUDO_UID": "65534", "SUDO_GID": "65534"})
    assert invoker.elevated
    home = tmp_path / "theirs"
    home.mkdir()
    os.chown(home, 65534, 65534)
    for directory in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        directory.chmod(0o755)
    saved = write_text(home / ".config/httptop/config.toml", "x", invoker)
    assert saved.stat().st_uid == saved.parent.stat().st_uid == 65534
    assert os.geteuid() == 0


@root_only
def test_under_sudo_a_user_cannot_lend_roots_rights(tmp_path: Path) -> None:
    invoker = invoking_user({"SUDO_UID": "65534", "SUDO_GID": "65534"})
    for directory in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        directory.chmod(0o755)
    home = tmp_path / "theirs"
    home.mkdir()
    os.chown(home, 65534, 65534)
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    secret = private / "secret"
    secret.write_text("secret")
    (home / "dir").symlink_to(private)
    (home / "file").symlink_to(secret)
    for link in (home / "dir", home / "file"):
        os.lchown(link, 65534, 65534)
    with pytest.raises(FileError, match="permission"):
        read_text(home / "file", 100, invoker)
    with pytest.raises(FileError):
        create(home / "file", invoker)
    with pytest.raises(FileError, match="no permission to read it for nobody, who called httptop"):
        read_text(secret, 100, invoker)
    assert secret.read_text() == "secret"


_LINES = st.sampled_from(
    [
        "[general]",
        "[filter.process]",
        "[filter",
        'tick = "1s"',
        "tick = [",
        "pids = [1, 2]",
        "pids = {a = 1}",
        "filter = 3",
        "general.tick = nan",
        "a.b.c = 'x'",
        "[[filter]]",
        '"general" = 1',
        "x = 1e999",
        "\ufeff",
    ]
)


@given(content=st.one_of(st.binary(max_size=80), st.lists(_LINES, max_size=8).map("\n".join)))
def test_any_file_is_a_configuration_or_clean_errors(
    tmp_path_factory: pytest.TempPathFactory, content: bytes | str
) -> None:
    file = tmp_path_factory.getbasetemp() / "fuzz.toml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    text = ""
    with contextlib.suppress(ConfigError):
        text = to_toml(check_file(file, invoking_user({})).settings)
    assert not text or tomllib.loads(text)
