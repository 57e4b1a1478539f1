"""Reads OTLP requests with Python's protobuf and says what it understood.

In and out, frame by frame: one byte, a little-endian u32 length, that many bytes. In: signal, request. Out: 0 and the
request written anew from what was read, or 1 and why it could not be read, or 2 and what remained unknown.
"""

import struct
import sys

from google.protobuf.internal import api_implementation
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2 import ExportProfilesServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

REQUESTS = [
    ExportLogsServiceRequest, ExportMetricsServiceRequest, ExportTraceServiceRequest, ExportProfilesServiceRequest,
]


def read(signal, data):
    message = REQUESTS[signal]()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        return 1, str(error).encode()
    understood = message.SerializeToString(deterministic=True)
    message.DiscardUnknownFields()
    known = message.SerializeToString(deterministic=True)
    return (0, known) if known == understood else (2, known)


def main():
    if api_implementation.Type() != "upb":
        sys.exit(f"protobuf runs on {api_implementation.Type()}, not on upb")
    while header := sys.stdin.buffer.read(5):
        signal, length = struct.unpack("<BI", header)
        status, data = read(signal, sys.stdin.buffer.read(length))
        sys.stdout.buffer.write(struct.pack("<BI", status, len(data)) + data)


if __name__ == "__main__":
    main()
