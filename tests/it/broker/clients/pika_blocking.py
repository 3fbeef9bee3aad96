"""pika's blocking adapter: what its users write."""

import os
import threading

import pika
from pika import exceptions


def connect():
    return pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))


connection = connect()
channel = connection.channel()

# Declarations, and what a broker says of wrong ones.
exchange = "pika-blocking"
channel.exchange_declare(exchange, "topic", auto_delete=True)
queue = channel.queue_declare("", exclusive=True, arguments={"x-max-priority": 5}).method.queue
assert queue.startswith("amq.gen-"), queue
channel.queue_bind(queue, exchange, "a.*.c")
for code, act in [
    (404, lambda c: c.queue_declare("pika-none", passive=True)),
    (404, lambda c: c.basic_consume("pika-none", lambda *_: None)),
    (404, lambda c: c.queue_bind(queue, "pika-none")),
    (406, lambda c: c.exchange_declare(exchange, "direct", auto_delete=True)),
    (403, lambda c: c.queue_declare("amq.pika")),
]:
    other = connection.channel()
    try:
        act(other)
    except exceptions.ChannelClosedByBroker as error:
        assert error.reply_code == code, error
    else:
        raise AssertionError(f"no {code}")

# Confirms, and messages that nobody takes.
channel.confirm_delivery()
headers = {"text": "ä", "number": 5, "negative": -5, "big": 2**40, "list": [1, "two", None], "table": {"deep": {"er": True}}}
properties = pika.BasicProperties(headers=headers, delivery_mode=2, content_type="text/plain", priority=3, timestamp=1700000000)
channel.basic_publish(exchange, "a.b.c", b"routed", properties, mandatory=True)
try:
    channel.basic_publish(exchange, "a.b", b"lost", mandatory=True)
except exceptions.UnroutableError as error:
    assert error.messages[0].method.reply_code == 312
    assert error.messages[0].body == b"lost"
else:
    raise AssertionError("nothing came back")
full = channel.queue_declare("", exclusive=True, arguments={"x-max-length": 1, "x-overflow": "reject-publish"}).method.queue
channel.basic_publish("", full, b"one")
try:
    channel.basic_publish("", full, b"two")
except exceptions.NackError:
    pass
else:
    raise AssertionError("a full queue took it")

# Get, reject, redelivery, properties.
method, got, body = channel.basic_get(queue)
assert (body, method.redelivered, method.message_count) == (b"routed", False, 0)
assert got.headers == headers and got.timestamp == 1700000000 and got.priority == 3, got
channel.basic_nack(method.delivery_tag)
method, _, body = channel.basic_get(queue)
assert method.redelivered and body == b"routed"
channel.basic_ack(method.delivery_tag)
assert channel.basic_get(queue) == (None, None, None)

# Bodies on both sides of a frame, in order.
sizes = [0, 1, 131063, 131064, 131065, 1_000_000]
for size in sizes:
    channel.basic_publish("", queue, bytes(size))
channel.basic_qos(prefetch_count=2)
seen = []
for method, _, body in channel.consume(queue, inactivity_timeout=10):
    assert method is not None, "nothing came"
    seen.append(len(body))
    channel.basic_ack(method.delivery_tag)
    if len(seen) == len(sizes):
        break
assert seen == sizes, seen
assert channel.cancel() == 0

# Prefetch and priorities.
for n in range(10):
    channel.basic_publish("", queue, str(n).encode(), pika.BasicProperties(priority=n % 5))
order = [int(channel.basic_get(queue, auto_ack=True)[2]) for _ in range(10)]
assert order == [4, 9, 3, 8, 2, 7, 1, 6, 0, 5], order

# Dead letters.
dead = channel.queue_declare("", exclusive=True).method.queue
source = channel.queue_declare(
    "", exclusive=True, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead, "x-message-ttl": 20}
).method.queue
channel.basic_publish("", source, b"late")
for method, got, body in channel.consume(dead, auto_ack=True, inactivity_timeout=10):
    assert body == b"late", body
    assert got.headers["x-death"][0]["reason"] == "expired" and got.headers["x-death"][0]["queue"] == source, got
    break
channel.cancel()

# A request and its answer by direct reply-to, with a server on a connection of its own.
ready = threading.Event()


def serve():
    server = connect()
    replies = server.channel()
    replies.queue_declare("pika-rpc", auto_delete=True)

    def answer(ch, method, request, body):
        ch.basic_publish("", request.reply_to, body.upper(), pika.BasicProperties(correlation_id=request.correlation_id))
        ch.basic_ack(method.delivery_tag)
        ch.stop_consuming()

    replies.basic_consume("pika-rpc", answer)
    ready.set()
    replies.start_consuming()
    server.close()


thread = threading.Thread(target=serve)
thread.start()
assert ready.wait(10)
asking = connection.channel()
answers = []
asking.basic_consume("amq.rabbitmq.reply-to", lambda ch, method, props, body: answers.append((props.correlation_id, body)), auto_ack=True)
asking.basic_publish("", "pika-rpc", b"question", pika.BasicProperties(reply_to="amq.rabbitmq.reply-to", correlation_id="7"))
while not answers:
    connection.process_data_events(time_limit=1)
assert answers == [("7", b"QUESTION")], answers
thread.join()

# A queue that somebody deletes under its consumer.
watched = channel.queue_declare("", auto_delete=True).method.queue
cancelled = []
channel.add_on_cancel_callback(cancelled.append)
channel.basic_consume(watched, lambda *_: None)
asking.queue_delete(watched)
while not cancelled:
    connection.process_data_events(time_limit=1)

# Messages back and forth, then the end.
assert channel.queue_purge(queue).method.message_count == 0
channel.queue_unbind(queue, exchange, "a.*.c")
channel.close()
connection.close()

try:
    pika.BlockingConnection(pika.ConnectionParameters(
        host=connection._impl.params.host, port=connection._impl.params.port,
        credentials=pika.PlainCredentials("guest", "wrong")))
except exceptions.ProbableAuthenticationError as error:
    assert "403" in str(error), error
else:
    raise AssertionError("a wrong password was taken")
print("ok")
