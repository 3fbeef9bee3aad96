"""What a broker of Kafka takes for topics and groups, told in seconds: requests as they go over the wire, so that no client's
own pauses are in it.

    kafka_groups.py HOST:PORT topics COUNT | first | join INTERVAL | consumer
"""

import os
import socket
import struct
import sys
import threading
import time

CLIENT = "bench"


def text(value):
    """A string; none is null."""
    return struct.pack(">h", -1) if value is None else struct.pack(">h", len(value)) + value.encode()


def data(value):
    return struct.pack(">i", len(value)) + value


def array(items):
    return struct.pack(">i", len(items)) + b"".join(items)


def short(value):
    """A compact string."""
    return bytes([0]) if value is None else bytes([len(value) + 1]) + value.encode()


class Answer:
    def __init__(self, raw):
        self.raw, self.at = raw, 0

    def take(self, form):
        (value,) = struct.unpack_from(">" + form, self.raw, self.at)
        self.at += struct.calcsize(form)
        return value

    def bytes(self, count):
        self.at += max(count, 0)
        return self.raw[self.at - max(count, 0) : self.at]

    def text(self):
        return self.bytes(self.take("h")).decode()

    def data(self):
        return self.bytes(self.take("i"))

    def varint(self):
        value = shift = 0
        while True:
            byte = self.take("B")
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def short(self):
        return self.bytes(self.varint() - 1).decode()


class Connection:
    def __init__(self, server):
        host, port = server.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def exactly(self, count):
        found = b""
        while len(found) < count:
            found += self.socket.recv(count - len(found)) or sys.exit("the broker has closed the connection")
        return found

    def ask(self, key, version, body, flexible=False):
        frame = struct.pack(">hhi", key, version, 1) + text(CLIENT) + (b"\0" if flexible else b"") + body
        self.socket.sendall(data(frame))
        answer = self.exactly(struct.unpack(">i", self.exactly(4))[0])
        return Answer(answer[5 if flexible else 4 :])


def must(error, what):
    if error:
        sys.exit(f"{what}: error {error}")


def create(to, names, partitions):
    topics = [text(name) + struct.pack(">ih", partitions, 1) + array([]) + array([]) for name in names]
    answer = to.ask(19, 4, array(topics) + struct.pack(">i?", 60000, False))
    answer.take("i")
    for _ in range(answer.take("i")):
        name, error, _ = answer.text(), answer.take("h"), answer.text()
        must(error, f"topic {name}")


def delete(to, names):
    to.ask(20, 3, array([text(name) for name in names]) + struct.pack(">i", 60000))


def await_topic(to, name):
    """Its id, once it has leaders."""
    while True:
        answer = to.ask(3, 12, b"\2" + bytes(16) + short(name) + b"\0" + b"\0\0\0", flexible=True)
        answer.take("i")
        for _ in range(answer.varint() - 1):
            answer.take("i"), answer.short(), answer.take("i"), answer.short(), answer.varint()
        answer.short(), answer.take("i")
        answer.varint()
        error, _, topic = answer.take("h"), answer.short(), answer.bytes(16)
        if not error:
            return topic
        time.sleep(0.05)


def await_coordinator(to, group):
    while (answer := to.ask(10, 0, text(group))).take("h"):
        time.sleep(0.05)


class Member:
    """One of a classic group."""

    def __init__(self, server, group, topic):
        self.to, self.group, self.topic, self.id = Connection(server), group, topic, ""

    def join(self):
        """Joins; what it is to have comes with the generation."""
        while True:
            said = struct.pack(">h", 0) + array([text(self.topic)]) + data(b"")
            who = struct.pack(">ii", 30000, 60000) + text(self.id) + text(None)
            protocols = array([text("range") + data(said)])
            answer = self.to.ask(11, 5, text(self.group) + who + text("consumer") + protocols)
            answer.take("i")
            error, self.generation = answer.take("h"), answer.take("i")
            _, leader, self.id = answer.text(), answer.text(), answer.text()
            members = []
            for _ in range(answer.take("i")):
                members.append(answer.text())
                answer.text(), answer.data()
            if error == 79:
                continue
            # The coordinator is not there yet.
            if error in (14, 15, 16):
                time.sleep(0.05)
                continue
            must(error, "JoinGroup")
            self.members = len(members)
            shares = array([text(member) + data(b"\0\0" + array([])) for member in members]) if leader == self.id else array([])
            answer = self.to.ask(14, 3, self.whom() + shares)
            answer.take("i")
            error = answer.take("h")
            if error == 27:
                continue
            must(error, "SyncGroup")
            return

    def whom(self):
        return text(self.group) + struct.pack(">i", self.generation) + text(self.id) + text(None)

    def beat(self, interval):
        """Goes on until the process ends, and joins again when it is told to."""
        while True:
            time.sleep(interval)
            answer = self.to.ask(12, 3, self.whom())
            answer.take("i")
            if answer.take("h") == 27:
                self.join()


class Consumer:
    """One of a group of KIP-848."""

    def __init__(self, server, group, topic):
        self.to, self.group, self.topic = Connection(server), group, topic
        self.id, self.epoch, self.has, self.interval = os.urandom(8).hex(), 0, [], 0

    def beat(self, whole):
        partitions = b"".join(struct.pack(">i", partition) for partition in self.has)
        owned = b"\2" + self.topic[1] + bytes([len(self.has) + 1]) + partitions + b"\0" if self.has else b"\1"
        body = short(self.group) + short(self.id) + struct.pack(">i", self.epoch) + b"\0\0"
        body += struct.pack(">i", 60000 if whole else -1) + (b"\2" + short(self.topic[0]) if whole else b"\0") + b"\0"
        answer = self.to.ask(68, 0, body + owned + b"\0", flexible=True)
        answer.take("i")
        must(answer.take("h"), "ConsumerGroupHeartbeat")
        answer.short(), answer.short()
        self.epoch, self.interval = answer.take("i"), answer.take("i") / 1000
        if answer.take("b") == 1:
            self.has = []
            for _ in range(answer.varint() - 1):
                answer.bytes(16)
                self.has += [answer.take("i") for _ in range(answer.varint() - 1)]
                answer.varint()

    def stay(self):
        while True:
            time.sleep(self.interval)
            self.beat(False)


def alive(work):
    threading.Thread(target=work, daemon=True).start()


def main():
    server, what, *more = sys.argv[1:]
    to, name = Connection(server), f"bench-{os.getpid()}"
    if what == "topics":
        names = [f"{name}-{number}" for number in range(int(more[0]))]
        started = time.perf_counter()
        create(to, names, 1)
        took = time.perf_counter() - started
        delete(to, names)
        print(took)
        return
    create(to, [name], 8)
    topic = await_topic(to, name)
    await_coordinator(to, name)
    if what == "consumer":
        first, second = (Consumer(server, name, (name, topic)) for _ in range(2))
        first.beat(True)
        while len(first.has) < 8:
            first.beat(True)
        alive(first.stay)
        started = time.perf_counter()
        second.beat(True)
        while len(second.has) < 4:
            time.sleep(second.interval)
            second.beat(False)
    else:
        first = Member(server, name, name)
        started = time.perf_counter()
        first.join()
        if what == "join":
            alive(lambda: first.beat(float(more[0])))
            second = Member(server, name, name)
            started = time.perf_counter()
            second.join()
    took = time.perf_counter() - started
    delete(to, [name])
    print(took)


main()
