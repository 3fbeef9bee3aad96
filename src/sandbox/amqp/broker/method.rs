//! The methods that clients send.

use super::table::Table;

/// A method with its arguments, as AMQP 0-9-1 and RabbitMQ's extensions name and describe them; `ticket`s are left out.
#[derive(Debug)]
pub(crate) enum Method<'a> {
    StartOk {
        properties: Table,
        mechanism: &'a str,
        response: &'a [u8],
    },
    SecureOk,
    TuneOk {
        channel_max: u16,
        frame_max: u32,
        heartbeat: u16,
    },
    Open {
        vhost: &'a str,
    },
    Close,
    CloseOk,
    UpdateSecret,
    ChannelOpen,
    Flow {
        active: bool,
    },
    ChannelClose,
    AccessRequest,
    ExchangeDeclare {
        name: &'a str,
        kind: &'a str,
        passive: bool,
        flags: ExchangeFlags,
        nowait: bool,
        arguments: Table,
    },
    ExchangeDelete {
        name: &'a str,
        if_unused: bool,
        nowait: bool,
    },
    ExchangeBind {
        destination: &'a str,
        source: &'a str,
        key: &'a [u8],
        nowait: bool,
        arguments: Table,
    },
    ExchangeUnbind {
        destination: &'a str,
        source: &'a str,
        key: &'a [u8],
        nowait: bool,
        arguments: Table,
    },
    QueueDeclare {
        name: &'a str,
        passive: bool,
        flags: QueueFlags,
        nowait: bool,
        arguments: Table,
    },
    QueueBind {
        queue: &'a str,
        exchange: &'a str,
        key: &'a [u8],
        nowait: bool,
        arguments: Table,
    },
    QueueUnbind {
        queue: &'a str,
        exchange: &'a str,
        key: &'a [u8],
        arguments: Table,
    },
    QueuePurge {
        queue: &'a str,
        nowait: bool,
    },
    QueueDelete {
        queue: &'a str,
        if_unused: bool,
        if_empty: bool,
        nowait: bool,
    },
    Qos {
        size: u32,
        count: u16,
        global: bool,
    },
    Consume {
        queue: &'a str,
        tag: &'a str,
        no_ack: bool,
        exclusive: bool,
        nowait: bool,
        arguments: Table,
    },
    Cancel {
        tag: &'a str,
        nowait: bool,
    },
    Publish {
        exchange: &'a str,
        key: &'a [u8],
        mandatory: bool,
        immediate: bool,
    },
    Get {
        queue: &'a str,
        no_ack: bool,
    },
    Ack {
        tag: u64,
        multiple: bool,
    },
    Nack {
        tag: u64,
        multiple: bool,
        requeue: bool,
    },
    Reject {
        tag: u64,
        requeue: bool,
    },
    Recover {
        requeue: bool,
        is_async: bool,
    },
    ConfirmSelect {
        nowait: bool,
    },
    Tx,
    /// What only a server sends.
    Foreign,
}

/// What an exchange is declared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ExchangeFlags {
    /// It would survive a restart.
    pub durable: bool,
    /// It goes with its last binding.
    pub auto_delete: bool,
    /// Clients may not publish to it.
    pub internal: bool,
}

/// What a queue is declared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QueueFlags {
    /// It would survive a restart.
    pub durable: bool,
    /// It belongs to its connection and goes with it.
    pub exclusive: bool,
    /// It goes with its last consumer.
    pub auto_delete: bool,
}
