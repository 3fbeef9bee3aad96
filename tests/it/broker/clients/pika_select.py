"""pika's select adapter: callbacks, many confirms, acknowledgements of many at once."""

import os

import pika

COUNT = 2000
QUEUE = "pika-select"
state = {"confirmed": 0, "nacked": 0, "seen": [], "closed": None}


def on_open(connection):
    connection.channel(on_open_callback=on_channel)


def on_channel(channel):
    channel.queue_declare(QUEUE, auto_delete=True, callback=lambda _: on_declared(channel))


def on_declared(channel):
    channel.confirm_delivery(lambda frame: on_confirm(channel, frame), callback=lambda _: publish(channel))


def publish(channel):
    for n in range(COUNT):
        channel.basic_publish("", QUEUE, str(n))


def on_confirm(channel, frame):
    if isinstance(frame.method, pika.spec.Basic.Nack):
        state["nacked"] += 1
    state["confirmed"] = frame.method.delivery_tag if frame.method.multiple else state["confirmed"] + 1
    if frame.method.delivery_tag == COUNT:
        channel.basic_qos(prefetch_count=100, callback=lambda _: channel.basic_consume(QUEUE, on_message))


def on_message(channel, method, _properties, body):
    state["seen"].append(int(body))
    if len(state["seen"]) % 50 == 0:
        channel.basic_ack(method.delivery_tag, multiple=True)
    if len(state["seen"]) == COUNT:
        channel.basic_cancel(method.consumer_tag, callback=lambda _: channel.connection.close())


def on_closed(connection, reason):
    state["closed"] = reason
    connection.ioloop.stop()


connection = pika.SelectConnection(
    pika.URLParameters(os.environ["AMQP_URL"]),
    on_open_callback=on_open,
    on_open_error_callback=on_closed,
    on_close_callback=on_closed,
)
connection.ioloop.start()
assert state["seen"] == list(range(COUNT)), state["seen"][:20]
assert state["nacked"] == 0
assert isinstance(state["closed"], pika.exceptions.ConnectionClosedByClient), state["closed"]
print("ok")
