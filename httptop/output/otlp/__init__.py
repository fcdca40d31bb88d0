"""OpenTelemetry: metrics and spans pushed by OTLP, over HTTP and in protobuf.

Nothing here is imported unless ``otlp.endpoint`` is set: it needs the package opentelemetry-proto,
which is the extra ``httptop[otlp]``.
"""
