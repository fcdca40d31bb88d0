"""Names of metrics and labels that a fleet is asked for: those of ``--prometheus``."""

from __future__ import annotations

from dataclasses import fields
from typing import Final

from httptop.model import SIDES, Health
from httptop.output.prometheus import names

DURATION: Final = {side: names.DURATION[side].name for side in SIDES}
ACTIVE: Final = {side: names.ACTIVE[side].name for side in SIDES}
UNANSWERED: Final = names.UNANSWERED.name
REQUEST_BYTES: Final = names.REQUEST_BYTES.name
RESPONSE_BYTES: Final = names.RESPONSE_BYTES.name
#: The label that has the path, by side.
ROUTE: Final = names.ROUTE
METHOD: Final = "http_request_method"
SCHEME: Final = "url_scheme"
VERSION: Final = "network_protocol_version"
PROCESS: Final = "process_executable_name"
OWNER: Final = "process_owner"
PORT: Final = "server_port"
STATUS: Final = "http_response_status_code"
#: The labels of an endpoint besides its path, as far as it has them.
ENDPOINT: Final = (METHOD, SCHEME, VERSION, PORT, PROCESS, OWNER)
BUILD: Final = "httptop_build_info"
#: What a httptop missed, by metric: names of fields of Health.
HEALTH: Final = {f"httptop_{one.name}_total": one.name for one in fields(Health)}
CPU: Final = "httptop_cpu_ratio"
BPF_CPU: Final = "httptop_bpf_cpu_ratio"
RSS: Final = "httptop_rss_bytes"
