//! The sandbox's AMQP broker: the same scenarios run against RabbitMQ and against it, and the answers must be equal, in
//! method, code, text and order. Where they differ, the sandbox is wrong.
//!
//! A scenario is a script, one line a step:
//!
//! - `1 queue.declare queue=$q durable` writes a method on the channel 1 of the connection `a` (`b 1 …`: of another one, made
//!   at its first use) and waits for its answer if it has one. `text.rs` tells how a method is written. `$` stands for a
//!   prefix of the scenario's own, `<queue 1>`, `<tag 1>`, `<reply 1>` for names that the server made, in order.
//! - A channel or a connection that the server closed is opened again for the next line that needs it.
//! - `1 next 3` waits for three more things to come on that connection, `1 end` for its end.
//! - `1 confirms 3` waits for three more confirms of the channel, and shows their tags.
//! - `1 sync` shows what the channel still sends, without waiting: mostly that it is nothing.
//! - `1 queue $q 2 1` waits until a queue has two messages and one consumer, and shows what it delivered meanwhile.
//! - `1 gone $q` waits until a queue is not there any more.
//! - `send …` writes a line and waits for nothing; `raw …` writes bytes; `drop` ends the connection without a word,
//!   `shut-down` one direction of it; `dial` makes one that has not logged in.

mod arguments;
mod chains;
mod clients;
mod codec;
mod confirms;
mod connection;
mod consumers;
mod deadletter;
mod exchanges;
mod frames;
mod hostile;
mod limits;
mod pressure;
mod publishing;
mod queues;
mod replies;
mod routing;
mod script;
mod servers;
mod settling;
mod spec;
mod text;
mod trace;
mod wire;
