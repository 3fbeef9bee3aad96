//! The methods that clients send.

use super::fault::{Code, Fault, MethodId};
use super::table::{Table, is_finite};
use super::wire::{Frame, unknown_frame};
use crate::cursor::Cursor;

/// A method with its arguments, as AMQP 0-9-1 and RabbitMQ's extensions name and describe them; `ticket`s are left out.
#[derive(Debug)]
pub enum Method<'a> {
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
pub struct ExchangeFlags {
    /// It would survive a restart.
    pub durable: bool,
    /// It goes with its last binding.
    pub auto_delete: bool,
    /// Clients may not publish to it.
    pub internal: bool,
}

/// What a queue is declared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueFlags {
    /// It would survive a restart.
    pub durable: bool,
    /// It belongs to its connection and goes with it.
    pub exclusive: bool,
    /// It goes with its last consumer.
    pub auto_delete: bool,
}

/// The class and the method that a payload begins with.
pub fn id(payload: &[u8]) -> MethodId {
    let mut cursor = Cursor(payload);
    (cursor.u16().unwrap_or_default(), cursor.u16().unwrap_or_default())
}

/// Reads a method's frame.
///
/// # Errors
/// What RabbitMQ says to a method that it does not know, or cannot decode.
pub fn parse(frame: Frame<'_>) -> Result<Method<'_>, Fault> {
    let payload = frame.payload;
    let id = id(payload);
    let fields = payload.get(4..).unwrap_or_default();
    let mut reader = Reader { cursor: Cursor(fields), bits: 0, left: 0, malformed: false, finite: true };
    match known(id, &mut reader) {
        Some(_) if !reader.finite => Err(Fault::new(Code::Unreadable, "")),
        Some(method) if reader.cursor.0.is_empty() => Ok(method),
        None if payload.len() < 4 => Err(unknown_frame(frame)),
        None if reader.malformed => Err(Fault::of_frame(Code::FrameError, "Malformed UTF-8 in shortstr")),
        _ => {
            let bytes: Vec<String> = fields.iter().map(u8::to_string).collect();
            let text = format!("cannot decode <<{}>>", bytes.join(","));
            Err(Fault { code: Code::FrameError, text, method: Some(id) })
        }
    }
}

fn known<'a>(id: MethodId, r: &mut Reader<'a>) -> Option<Method<'a>> {
    Some(match id {
        (10, 11) => {
            let properties = r.table()?;
            let (mechanism, response) = (r.name()?, r.long()?);
            r.short()?;
            Method::StartOk { properties, mechanism, response }
        }
        (10, 21) => r.long().map(|_| Method::SecureOk)?,
        (10, 31) => Method::TuneOk { channel_max: r.u16()?, frame_max: r.u32()?, heartbeat: r.u16()? },
        (10, 40) => {
            let vhost = r.name()?;
            r.short()?;
            r.bit()?;
            Method::Open { vhost }
        }
        (10, 50) => r.close().map(|()| Method::Close)?,
        (10, 51) => Method::CloseOk,
        (10, 70) => {
            r.long()?;
            r.short()?;
            Method::UpdateSecret
        }
        (20, 10) => r.short().map(|_| Method::ChannelOpen)?,
        (20, 20) => Method::Flow { active: r.bit()? },
        (20, 40) => r.close().map(|()| Method::ChannelClose)?,
        (20, 41) => Method::Foreign,
        (30, 10) => {
            r.short()?;
            r.bit()?;
            Method::AccessRequest
        }
        (40, 10) => {
            r.u16()?;
            let (name, kind, passive) = (r.name()?, r.name()?, r.bit()?);
            let flags = ExchangeFlags { durable: r.bit()?, auto_delete: r.bit()?, internal: r.bit()? };
            Method::ExchangeDeclare { name, kind, passive, flags, nowait: r.bit()?, arguments: r.table()? }
        }
        (40, 20) => {
            r.u16()?;
            Method::ExchangeDelete { name: r.name()?, if_unused: r.bit()?, nowait: r.bit()? }
        }
        (40, 30 | 40) => {
            r.u16()?;
            let (destination, source, key) = (r.name()?, r.name()?, r.short()?);
            let (nowait, arguments) = (r.bit()?, r.table()?);
            match id.1 {
                30 => Method::ExchangeBind { destination, source, key, nowait, arguments },
                _ => Method::ExchangeUnbind { destination, source, key, nowait, arguments },
            }
        }
        (50, 10) => {
            r.u16()?;
            let (name, passive) = (r.name()?, r.bit()?);
            let flags = QueueFlags { durable: r.bit()?, exclusive: r.bit()?, auto_delete: r.bit()? };
            Method::QueueDeclare { name, passive, flags, nowait: r.bit()?, arguments: r.table()? }
        }
        (50, 20) => {
            r.u16()?;
            let (queue, exchange, key) = (r.name()?, r.name()?, r.short()?);
            Method::QueueBind { queue, exchange, key, nowait: r.bit()?, arguments: r.table()? }
        }
        (50, 50) => {
            r.u16()?;
            Method::QueueUnbind { queue: r.name()?, exchange: r.name()?, key: r.short()?, arguments: r.table()? }
        }
        (50, 30) => {
            r.u16()?;
            Method::QueuePurge { queue: r.name()?, nowait: r.bit()? }
        }
        (50, 40) => {
            r.u16()?;
            Method::QueueDelete { queue: r.name()?, if_unused: r.bit()?, if_empty: r.bit()?, nowait: r.bit()? }
        }
        (60, 10) => Method::Qos { size: r.u32()?, count: r.u16()?, global: r.bit()? },
        (60, 20) => {
            r.u16()?;
            let (queue, tag) = (r.name()?, r.name()?);
            // `no-local` has no meaning in RabbitMQ.
            r.bit()?;
            let (no_ack, exclusive, nowait) = (r.bit()?, r.bit()?, r.bit()?);
            Method::Consume { queue, tag, no_ack, exclusive, nowait, arguments: r.table()? }
        }
        (60, 30) => Method::Cancel { tag: r.name()?, nowait: r.bit()? },
        (60, 40) => {
            r.u16()?;
            // The one short string that RabbitMQ takes as it is.
            Method::Publish { exchange: r.name()?, key: r.plain().short()?, mandatory: r.bit()?, immediate: r.bit()? }
        }
        (60, 70) => {
            r.u16()?;
            Method::Get { queue: r.name()?, no_ack: r.bit()? }
        }
        (60, 80) => Method::Ack { tag: r.u64()?, multiple: r.bit()? },
        (60, 90) => Method::Reject { tag: r.u64()?, requeue: r.bit()? },
        (60, 100) => Method::Recover { requeue: r.bit()?, is_async: true },
        (60, 110) => Method::Recover { requeue: r.bit()?, is_async: false },
        (60, 120) => Method::Nack { tag: r.u64()?, multiple: r.bit()?, requeue: r.bit()? },
        (85, 10) => Method::ConfirmSelect { nowait: r.bit()? },
        (90, 10 | 20 | 30) => Method::Tx,
        (10, 10 | 20 | 30 | 41 | 60 | 61 | 71)
        | (20, 11 | 21)
        | (30, 11)
        | (40, 11 | 21 | 31 | 51)
        | (50, 11 | 21 | 31 | 41 | 51)
        | (60, 11 | 21 | 31 | 50 | 60 | 71 | 72 | 111)
        | (85, 11)
        | (90, 11 | 21 | 31) => {
            r.plain().0 = &[];
            Method::Foreign
        }
        _ => return None,
    })
}

/// Reads fields; bits that follow each other share an octet.
struct Reader<'a> {
    cursor: Cursor<'a>,
    bits: u8,
    left: u8,
    /// A short string was no UTF-8.
    malformed: bool,
    /// All numbers in tables are finite.
    finite: bool,
}

impl<'a> Reader<'a> {
    fn bit(&mut self) -> Option<bool> {
        if self.left == 0 {
            self.bits = self.cursor.u8()?;
            self.left = 8;
        }
        let bit = self.bits & 1 != 0;
        self.bits >>= 1;
        self.left -= 1;
        Some(bit)
    }

    fn plain(&mut self) -> &mut Cursor<'a> {
        self.left = 0;
        &mut self.cursor
    }

    fn u16(&mut self) -> Option<u16> {
        self.plain().u16()
    }

    fn u32(&mut self) -> Option<u32> {
        self.plain().u32()
    }

    fn u64(&mut self) -> Option<u64> {
        self.plain().u64()
    }

    fn short(&mut self) -> Option<&'a [u8]> {
        self.name().map(str::as_bytes)
    }

    fn long(&mut self) -> Option<&'a [u8]> {
        self.plain().long()
    }

    fn name(&mut self) -> Option<&'a str> {
        let text = std::str::from_utf8(self.plain().short()?);
        self.malformed |= text.is_err();
        text.ok()
    }

    fn table(&mut self) -> Option<Table> {
        let bytes = self.plain().long()?;
        self.finite &= is_finite(b'F', bytes)?;
        Table::parse(bytes)
    }

    /// Code, text, class and method of a close: there is nothing to do about them.
    fn close(&mut self) -> Option<()> {
        self.u16()?;
        self.short()?;
        self.u16()?;
        self.u16().map(drop)
    }
}
