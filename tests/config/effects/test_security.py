"""What the settings of rights change: what the kernel says that httptop may do while it runs."""

from __future__ import annotations

import os
import pwd

import pytest

from tests.live.rights import NOBODY, NOTHING, batch, children, field, screen, threads

BPF_AND_PERFMON = f"{3 << 38:016x}"
SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


def ids(uid: int) -> set[str]:
    return {" ".join([str(uid)] * 4)}


@pytest.mark.ebpf
@pytest.mark.setting("security.drop_privileges")
def test_root_is_given_up_unless_that_is_switched_off() -> None:
    with batch() as run:
        assert field(run, "Uid") == field(run, "Gid") == ids(NOBODY)
        assert field(run, "NoNewPrivs") == {"1"}
        assert {fields[name] for fields in threads(run.pid) for name in SETS} == {NOTHING}
        assert list(children(run.pid)) == ["httptop-helper"]
    with batch(SECURITY__DROP_PRIVILEGES="false") as run:
        assert field(run, "Uid") == ids(0)
        assert NOTHING not in field(run, "CapEff")
        assert children(run.pid) == {}


@pytest.mark.ebpf
@pytest.mark.setting("security.user")
def test_the_user_to_become_is_the_one_named_or_who_called_sudo() -> None:
    other = next(entry for entry in pwd.getpwall() if entry.pw_uid not in (0, NOBODY))
    groups = " ".join(map(str, sorted(os.getgrouplist(other.pw_name, other.pw_gid))))
    caller = {"SUDO_UID": str(other.pw_uid), "SUDO_GID": str(other.pw_gid)}
    for variables in ({"SECURITY__USER": other.pw_name}, caller):
        with batch(**variables) as run:
            assert field(run, "Uid") == ids(other.pw_uid)
            assert field(run, "Gid") == ids(other.pw_gid)
            assert field(run, "Groups") == {groups}
    with batch(SECURITY__USER="nobody", **caller) as run:
        assert field(run, "Uid") == ids(NOBODY)


@pytest.mark.ebpf
@pytest.mark.setting("security.keep_no_capabilities")
def test_two_capabilities_are_kept_by_the_thread_that_reads_the_maps_if_wanted() -> None:
    with batch() as run:
        assert field(run, "CapPrm") == {NOTHING}
    with batch(SECURITY__KEEP_NO_CAPABILITIES="false") as run:
        kept = {fields["Name"]: fields["CapEff"] for fields in threads(run.pid)}
        assert field(run, "Uid") == ids(NOBODY)
        assert field(run, "CapEff") == field(run, "CapPrm") == {NOTHING, BPF_AND_PERFMON}, kept
        assert field(run, "CapInh") == field(run, "CapAmb") == {NOTHING}


@pytest.mark.ebpf
@pytest.mark.setting("security.allow_root_ui")
def test_a_screen_that_would_be_roots_is_refused_if_wanted() -> None:
    stays_root = {"SECURITY__DROP_PRIVILEGES": "false"}
    ends = ("-d", "0.2", "-n", "2")
    code, shown = screen(*ends, SECURITY__ALLOW_ROOT_UI="false", **stays_root)
    assert code == 1
    assert shown == (
        "httptop: the screen may not run as root (security.allow_root_ui is false), and root "
        "is not given up: security.drop_privileges is false\r\n"
    )
    for variables in (stays_root, {"SECURITY__ALLOW_ROOT_UI": "false"}):
        code, shown = screen(*ends, **variables)
        assert code == 0, shown[-2000:]
    with batch(SECURITY__ALLOW_ROOT_UI="false", **stays_root) as run:
        assert field(run, "Uid") == ids(0)
