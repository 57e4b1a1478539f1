"""Reads what the collector received, as lines of OTLP/JSON on standard input.

    judge.py once SERVICE…     every signal of each service arrived, nothing raw, one token for one thing in all of them
    judge.py load SERVICE N    N records arrived, each at least once; the first with its ticket's number, the last without
"""

import json
import re
import sys

CANARIES = ["web-1.prod.corp.example", "db-master.corp.example", "alice.winter", "203.0.113.77", "corp.example"]
SIGNALS = {"resourceLogs": "logs", "resourceMetrics": "metrics", "resourceSpans": "traces"}


def requests():
    for line in sys.stdin:
        if line.startswith("{"):
            yield line, json.loads(line)


def attribute(attributes, key):
    return next((a["value"].get("stringValue") for a in attributes if a["key"] == key), None)


def once(services):
    hosts, peers, seen = {}, {}, set()
    for line, request in requests():
        leaked = [canary for canary in CANARIES if canary in line]
        if leaked:
            sys.exit(f"raw: {leaked} in {line[:400]}")
        for kind, signal in SIGNALS.items():
            for part in request.get(kind, []):
                attributes = part["resource"]["attributes"]
                service = attribute(attributes, "service.name")
                seen.add((service, signal))
                hosts.setdefault(attribute(attributes, "host.name"), set()).add(service)
                for token in re.findall(r'"key":"server.address","value":\{"stringValue":"([^"]+)"', line):
                    peers.setdefault(token, set()).add((service, signal))
    missing = [(service, signal) for service in services for signal in SIGNALS.values() if (service, signal) not in seen]
    if missing:
        sys.exit(f"did not arrive: {missing}")
    of = [token for token, who in hosts.items() if set(services) <= who]
    if len(of) != 1 or not set(services) <= {service for service, _ in peers.get(of[0], ())}:
        sys.exit(f"host.name has tokens {hosts}, server.address {peers}")
    print(f"   {', '.join(services)}: {len(SIGNALS)} signals each, no canary raw, one token in all: {of[0]}")


def load(service, count):
    found, tickets = {}, set()
    for line, request in requests():
        for part in request.get("resourceLogs", []):
            if attribute(part["resource"]["attributes"], "service.name") != service:
                continue
            for scope in part["scopeLogs"]:
                for record in scope["logRecords"]:
                    number = int(re.match(r"load (\d+) of ", record["body"]["stringValue"])[1])
                    found[number] = found.get(number, 0) + 1
                    if "TICKET-" in record["body"]["stringValue"]:
                        tickets.add(number)
    lost = [number for number in range(count) if number not in found]
    if lost:
        sys.exit(f"lost {len(lost)} of {count}: {lost[:10]}")
    if 0 not in tickets or count - 1 in tickets:
        sys.exit(f"the new policy did not take effect under load: {len(tickets)} of {count} have a ticket's number")
    twice = sum(times > 1 for times in found.values())
    print(f"   {service}: {count} records sent, all arrived ({twice} twice), {len(tickets)} of them before the new policy")


if sys.argv[1] == "once":
    once(sys.argv[2:])
else:
    load(sys.argv[2], int(sys.argv[3]))
