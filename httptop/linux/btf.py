"""Read the offsets of the struct members that the probes need from the running kernel's BTF.

BTF (``/sys/kernel/btf/vmlinux``) is the kernel's own description of its types. One pass over it
finds the structs by name; members of anonymous structs and unions are found, too.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

VMLINUX: Final = Path("/sys/kernel/btf/vmlinux")

_MAGIC: Final = 0xEB9F
_KIND_INT, _KIND_ARRAY, _KIND_STRUCT, _KIND_UNION, _KIND_ENUM = 1, 3, 4, 5, 6
_KIND_TYPEDEF, _KIND_FUNC = 8, 12
_KIND_FUNC_PROTO, _KIND_VAR, _KIND_DATASEC, _KIND_DECL_TAG, _KIND_ENUM64 = 13, 14, 15, 17, 19


#: Tracepoints that the probes may be attached to.
TRACEPOINTS: Final = (
    "sys_exit", "sock_recv_length", "sock_send_length", "inet_sock_set_state", "sk_data_ready",
)  # fmt: skip


#: Kernel functions that the probes may call.
FUNCTIONS: Final = ("bpf_rdonly_cast", "bpf_preempt_disable", "bpf_preempt_enable")


class BtfError(Exception):
    """The kernel's type information is missing or malformed, or lacks a requested type."""


class Btf:
    """Struct layouts and type ids of one BTF blob."""

    def __init__(self, blob: bytes, names: Iterable[str]) -> None:
        """Index the structs, typedefs and functions called ``names``; raises BtfError.

        Only these can be looked up.
        """
        if len(blob) < 24:
            raise BtfError("too short")
        magic, _, _, header, type_at, type_len, str_at, str_len = struct.unpack_from(
            "<HBBIIIII", blob
        )
        if magic != _MAGIC:
            raise BtfError("not BTF in this machine's byte order")
        self._strings = blob[header + str_at : header + str_at + str_len]
        self._words = memoryview(blob)[header + type_at : header + type_at + type_len].cast("I")
        wanted = {self._offset_of(name): name for name in names}
        self._positions: list[int] = [0]
        self._ids: dict[tuple[int, str], int] = {}
        self._index(wanted)

    @classmethod
    def of_kernel(cls, names: Iterable[str]) -> Btf:
        """Read the running kernel's BTF; raise BtfError if it has none."""
        try:
            return cls(VMLINUX.read_bytes(), names)
        except OSError as error:
            raise BtfError(f"{VMLINUX}: {error.strerror}") from error

    def _offset_of(self, name: str) -> int:
        at = self._strings.find(b"\0" + name.encode() + b"\0")
        return at + 1 if at >= 0 else -1

    def _index(self, wanted: dict[int, str]) -> None:
        words, positions = self._words, self._positions
        at, end = 0, len(words)
        while at < end:
            positions.append(at)
            info = words[at + 1]
            kind, count = info >> 24 & 31, info & 0xFFFF
            if words[at] in wanted:
                self._ids.setdefault((kind, wanted[words[at]]), len(positions) - 1)
            if kind in (_KIND_STRUCT, _KIND_UNION, _KIND_DATASEC, _KIND_ENUM64):
                at += 3 + 3 * count
            elif kind in (_KIND_ENUM, _KIND_FUNC_PROTO):
                at += 3 + 2 * count
            elif kind in (_KIND_INT, _KIND_VAR, _KIND_DECL_TAG):
                at += 4
            elif kind == _KIND_ARRAY:
                at += 6
            else:
                at += 3

    def typedef_id(self, name: str) -> int | None:
        """Return the type id of a typedef; None if it does not exist."""
        return self._ids.get((_KIND_TYPEDEF, name))

    def struct_id(self, name: str) -> int:
        """Return the type id of a struct; raise BtfError if it does not exist."""
        try:
            return self._ids[_KIND_STRUCT, name]
        except KeyError:
            raise BtfError(f"the kernel has no struct {name}") from None

    def function_id(self, name: str) -> int | None:
        """Return the type id of a kernel function; None if it does not exist."""
        return self._ids.get((_KIND_FUNC, name))

    def offset(self, struct_name: str, member: str) -> int:
        """Return the offset of ``member`` in bytes; ``a.b`` is the member ``b`` of member ``a``.

        Raises BtfError if there is none.
        """
        type_id = self.struct_id(struct_name)
        total = 0
        for name in member.split("."):
            found = self._member(type_id, name)
            if found is None:
                raise BtfError(f"struct {struct_name} has no member {member}")
            bits, type_id = found
            total += bits
        return total // 8

    def _member(self, type_id: int, name: str) -> tuple[int, int] | None:
        """Return a member's (offset in bits, type id); None if there is none."""
        at = self._positions[self._strip(type_id)]
        info = self._words[at + 1]
        if info >> 24 & 31 not in (_KIND_STRUCT, _KIND_UNION):
            return None
        bit_fields = info >> 31
        for i in range(info & 0xFFFF):
            name_at, member_type, offset = self._words[at + 3 + 3 * i : at + 6 + 3 * i]
            if bit_fields:
                offset &= 0xFFFFFF
            if name_at:
                if self._name(name_at) == name:
                    return offset, member_type
            elif inner := self._member(member_type, name):
                return offset + inner[0], inner[1]
        return None

    def _strip(self, type_id: int) -> int:
        """Follow typedefs and qualifiers to the underlying type."""
        for _ in range(32):
            at = self._positions[type_id]
            if self._words[at + 1] >> 24 & 31 not in (_KIND_TYPEDEF, 9, 10, 11, 18):
                return type_id
            type_id = self._words[at + 2]
        raise BtfError("a type refers to itself")

    def _name(self, at: int) -> str:
        return self._strings[at : self._strings.index(b"\0", at)].decode("ascii", "replace")


class Kernel(NamedTuple):
    """What the probes must know about the kernel that they run in."""

    offsets: dict[str, int]  # the OFF_ macros of kernel_structs.h
    tracepoints: frozenset[str]  # those of TRACEPOINTS that the kernel has
    types: dict[str, int]  # the TYPE_ macros: type ids
    functions: dict[str, int]  # type ids of those of FUNCTIONS that the kernel has


def describe_kernel() -> Kernel:
    """Read the running kernel's BTF; raise BtfError."""
    structs = (
        "task_struct pid pid_namespace files_struct fdtable file socket_alloc socket inode sock "
        "css_set cgrp_cset_link cgroup cgroup_root kernfs_node "
        "list_head unix_sock tcp_sock inet_connection_sock sk_buff tcp_skb_cb unix_skb_parms "
        "pt_regs trace_event_raw_sock_msg_length"
    )
    typedefs = (f"btf_trace_{name}" for name in TRACEPOINTS)
    btf = Btf.of_kernel((*structs.split(), *typedefs, *FUNCTIONS))
    at = btf.offset
    offsets = {
        "OFF_TASK_FILES": at("task_struct", "files"),
        "OFF_TASK_LEADER": at("task_struct", "group_leader"),
        "OFF_TASK_COMM": at("task_struct", "comm"),
        "OFF_TASK_TGID": at("task_struct", "tgid"),
        "OFF_TASK_START": at("task_struct", "start_boottime"),
        "OFF_TASK_STACK": at("task_struct", "stack"),
        "OFF_FILES_FDT": at("files_struct", "fdt"),
        "OFF_FDT_FD": at("fdtable", "fd"),
        "OFF_FILE_PRIVATE": at("file", "private_data"),
        "OFF_FILE_INODE": at("file", "f_inode"),
        "OFF_SOCKET_INODE": at("socket_alloc", "vfs_inode") - at("socket_alloc", "socket"),
        "OFF_INODE_NUMBER": at("inode", "i_ino"),
        "OFF_SOCKET_SK": at("socket", "sk"),
        "OFF_SOCKET_TYPE": at("socket", "type"),
        "OFF_SOCK_FAMILY": at("sock", "__sk_common.skc_family"),
        "OFF_SOCK_STATE": at("sock", "__sk_common.skc_state"),
        "OFF_SOCK_DPORT": at("sock", "__sk_common.skc_dport"),
        "OFF_SOCK_NUM": at("sock", "__sk_common.skc_num"),
        "OFF_SOCK_DADDR": at("sock", "__sk_common.skc_daddr"),
        "OFF_SOCK_V6_DADDR": at("sock", "__sk_common.skc_v6_daddr"),
        "OFF_SOCK_SOCKET": at("sock", "sk_socket"),
        "OFF_SOCK_SHUTDOWN": at("sock", "sk_shutdown"),
        "OFF_SOCK_BACKLOG": at("sock", "sk_max_ack_backlog"),
        "OFF_SOCK_TYPE": at("sock", "sk_type"),
        "OFF_SOCK_PROTOCOL": at("sock", "sk_protocol"),
        "OFF_UNIX_ADDRESS": at("unix_sock", "addr"),
        "OFF_UNIX_PEER": at("unix_sock", "peer"),
        "OFF_TCP_COPIED_SEQ": at("tcp_sock", "copied_seq"),
        "OFF_TCP_WRITE_SEQ": at("tcp_sock", "write_seq"),
        "OFF_TCP_SENT_SEQ": at("tcp_sock", "snd_nxt"),
        "OFF_TCP_RECEIVED_SEQ": at("tcp_sock", "rcv_nxt"),
        "OFF_TCP_RECEIVED": at("tcp_sock", "bytes_received"),
        "OFF_TCP_SENT": at("tcp_sock", "bytes_sent"),
        "OFF_TCP_ULP": at("inet_connection_sock", "icsk_ulp_ops"),
    }
    with contextlib.suppress(BtfError):
        offsets["OFF_TCP_CLOCK"] = at("tcp_sock", "tcp_clock_cache")
    with contextlib.suppress(BtfError):
        offsets |= _offsets_of_pids(btf)
    with contextlib.suppress(BtfError):
        offsets |= _offsets_of_groups(btf)
    found = {name for name in TRACEPOINTS if btf.typedef_id(f"btf_trace_{name}") is not None}
    if "sk_data_ready" in found:
        offsets |= _offsets_of_packets(btf)
    if "sock_send_length" in found:
        offsets |= _offsets_of_records(btf)
    types = {
        "TYPE_FILE": btf.struct_id("file"),
        "TYPE_SOCKET": btf.struct_id("socket"),
        "TYPE_SOCK": btf.struct_id("sock"),
        "TYPE_INODE": btf.struct_id("inode"),
        "TYPE_LIST_HEAD": btf.struct_id("list_head"),
        "TYPE_TCP_SOCK": btf.struct_id("tcp_sock"),
        "TYPE_REGISTERS": btf.struct_id("pt_regs"),
    }
    functions = {name: number for name in FUNCTIONS if (number := btf.function_id(name))}
    return Kernel(offsets, frozenset(found), types, functions)


def _offsets_of_pids(btf: Btf) -> dict[str, int]:
    """Return the offsets that lead to a process's ids in its namespaces (pid_namespace.h)."""
    return {
        "OFF_TASK_PID": btf.offset("task_struct", "thread_pid"),
        "OFF_PID_LEVEL": btf.offset("pid", "level"),
        "OFF_PID_NUMBERS": btf.offset("pid", "numbers"),
        "OFF_PID_NAMESPACE_INUM": btf.offset("pid_namespace", "ns.inum"),
    }


def _offsets_of_groups(btf: Btf) -> dict[str, int]:
    """Return the offsets that lead to a process's control groups (control_groups.h)."""
    return {
        "OFF_TASK_GROUPS": btf.offset("task_struct", "cgroups"),
        "OFF_GROUPS_LINKS": btf.offset("css_set", "cgrp_links"),
        "OFF_LINK_GROUP": btf.offset("cgrp_cset_link", "cgrp"),
        "OFF_LINK_IN_GROUPS": btf.offset("cgrp_cset_link", "cgrp_link"),
        "OFF_GROUP_ROOT": btf.offset("cgroup", "root"),
        "OFF_GROUP_NODE": btf.offset("cgroup", "kn"),
        "OFF_HIERARCHY_NUMBER": btf.offset("cgroup_root", "hierarchy_id"),
        "OFF_NODE_NUMBER": btf.offset("kernfs_node", "id"),
    }


def _offsets_of_records(btf: Btf) -> dict[str, int]:
    """Return the offsets in perf's record of bytes that went through a socket, if they are told."""
    record, members = "trace_event_raw_sock_msg_length", ("sk", "ret", "flags")
    try:
        return {f"OFF_RECORD_{name.upper()}": btf.offset(record, name) for name in members}
    except BtfError:
        return {}


def _offsets_of_packets(btf: Btf) -> dict[str, int]:
    """Return the offsets for a socket's packets, which wait.h needs."""
    at = btf.offset
    return {
        "OFF_SOCK_QUEUE": at("sock", "sk_receive_queue.next"),
        "OFF_SOCK_QUEUED": at("sock", "sk_receive_queue.qlen"),
        "OFF_SKB_LEN": at("sk_buff", "len"),
        "OFF_SKB_HEAD": at("sk_buff", "head"),
        "OFF_SKB_NETWORK": at("sk_buff", "network_header"),
        "OFF_SKB_TRANSPORT": at("sk_buff", "transport_header"),
        "OFF_SKB_TCP_SEQ": at("sk_buff", "cb") + at("tcp_skb_cb", "seq"),
        "OFF_SKB_TCP_END": at("sk_buff", "cb") + at("tcp_skb_cb", "end_seq"),
        "OFF_SKB_UNIX_CONSUMED": at("sk_buff", "cb") + at("unix_skb_parms", "consumed"),
    }
