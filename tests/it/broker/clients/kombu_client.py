"""kombu, which is what Celery uses, over py-amqp."""

import os
import socket

import amqp
from kombu import Connection, Consumer, Exchange, Producer, Queue
from kombu.pools import producers

url = os.environ["AMQP_URL"]
exchange = Exchange("kombu-x", type="direct", durable=True)
queue = Queue("kombu-q", exchange, routing_key="task", durable=True, max_priority=3, message_ttl=60)
fanout = Queue("kombu-events", Exchange("kombu-events", type="fanout", auto_delete=True), exclusive=True)

with Connection(url, transport_options={"confirm_publish": True}, heartbeat=10) as connection:
    connection.ensure_connection(max_retries=3)
    assert connection.supports_heartbeats
    connection.heartbeat_check()
    seen = []

    def on_message(body, message):
        seen.append((body, message.properties.get("priority"), message.headers.get("id")))
        message.ack()

    with connection.channel() as channel:
        producer = Producer(channel, exchange=exchange, routing_key="task", serializer="json")
        bound = queue(channel)
        bound.declare()
        fanout(channel).declare()
        for n in range(20):
            producer.publish({"n": n}, headers={"id": n}, declare=[queue], retry=True, compression="gzip" if n % 2 else None)
        with Consumer(channel, [queue], callbacks=[on_message], prefetch_count=5, accept=["json"]):
            while len(seen) < 20:
                connection.drain_events(timeout=10)
        assert [body["n"] for body, _, _ in seen] == list(range(20)), seen
        assert [number for _, _, number in seen] == list(range(20)), seen

        # Rejected and requeued once, then acknowledged.
        producer.publish({"again": True}, priority=2)
        turns = []

        def once(body, message):
            turns.append(message.delivery_info["redelivered"])
            message.ack() if turns[-1] else message.requeue()

        with Consumer(channel, [queue], callbacks=[once]):
            while len(turns) < 2:
                connection.drain_events(timeout=10)
        assert turns == [False, True], turns

        # Nothing more comes.
        with Consumer(channel, [queue], callbacks=[on_message]):
            try:
                connection.drain_events(timeout=0.2)
            except socket.timeout:
                pass
            else:
                raise AssertionError("something came")
        assert bound.get() is None
        assert bound.purge() == 0

        # Events to everybody.
        Producer(channel, exchange=fanout.exchange).publish({"event": 1})
        message = fanout(channel).get(accept=["json"]) or fanout(channel).get(accept=["json"])
        assert message.payload == {"event": 1}
        message.reject()

    simple = connection.SimpleQueue("kombu-simple")
    for n in range(5):
        simple.put(n)
    assert [simple.get(timeout=10).payload for _ in range(5)] == list(range(5))
    simple.clear()
    simple.close()

    # A pool of producers, and the errors that a user catches.
    with producers[connection].acquire(block=True) as producer:
        producer.publish("x", exchange=exchange, routing_key="task", mandatory=True)
    for wanted, act in [
        (amqp.NotFound, lambda c: c.queue_declare("kombu-none", passive=True)),
        (amqp.PreconditionFailed, lambda c: c.queue_declare("kombu-q", durable=False)),
        (amqp.AccessRefused, lambda c: c.exchange_declare("amq.kombu", "direct")),
    ]:
        channel = connection.channel()
        try:
            act(channel)
        except wanted:
            pass
        else:
            raise AssertionError(f"no {wanted}")

    with connection.channel() as channel:
        queue(channel).delete()
        exchange(channel).delete()
        channel.queue_delete("kombu-simple")
        channel.exchange_delete("kombu-simple")
print("ok")
