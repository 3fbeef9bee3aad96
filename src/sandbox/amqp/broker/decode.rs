//! Methods out of their frames.

use super::fault::{Code, Fault, MethodId};
use super::method::{ExchangeFlags, Method, QueueFlags};
use super::table::{Table, is_finite};
use super::wire::{Frame, unknown_frame};
use crate::cursor::Cursor;

/// The class and the method that a payload begins with.
pub(crate) fn method_id(payload: &[u8]) -> MethodId {
    let mut cursor = Cursor(payload);
    (cursor.u16().unwrap_or_default(), cursor.u16().unwrap_or_default())
}

/// Reads a method's frame.
///
/// # Errors
/// What RabbitMQ says to a method that it does not know, or cannot decode.
pub(crate) fn method(frame: Frame<'_>) -> Result<Method<'_>, Fault> {
    let payload = frame.payload;
    let id = method_id(payload);
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

/// Reads the fields of a method that is known; `None` when it is none, or when they cannot be read.
fn known<'a>((class, method): MethodId, r: &mut Reader<'a>) -> Option<Method<'a>> {
    match class {
        10 => connection(method, r),
        20 => channel(method, r),
        40 => exchange(method, r),
        50 => queue(method, r),
        60 => basic(method, r),
        _ => other((class, method), r),
    }
}

fn connection<'a>(method: u16, r: &mut Reader<'a>) -> Option<Method<'a>> {
    Some(match method {
        11 => {
            let properties = r.table()?;
            let (mechanism, response) = (r.name()?, r.long()?);
            r.short()?;
            Method::StartOk { properties, mechanism, response }
        }
        21 => r.long().map(|_| Method::SecureOk)?,
        31 => Method::TuneOk { channel_max: r.u16()?, frame_max: r.u32()?, heartbeat: r.u16()? },
        40 => {
            let vhost = r.name()?;
            r.short()?;
            r.bit()?;
            Method::Open { vhost }
        }
        50 => r.close().map(|()| Method::Close)?,
        51 => Method::CloseOk,
        70 => {
            r.long()?;
            r.short()?;
            Method::UpdateSecret
        }
        10 | 20 | 30 | 41 | 60 | 61 | 71 => r.foreign(),
        _ => return None,
    })
}

fn channel<'a>(method: u16, r: &mut Reader<'a>) -> Option<Method<'a>> {
    Some(match method {
        10 => r.short().map(|_| Method::ChannelOpen)?,
        20 => Method::Flow { active: r.bit()? },
        40 => r.close().map(|()| Method::ChannelClose)?,
        41 => Method::Foreign,
        11 | 21 => r.foreign(),
        _ => return None,
    })
}

fn exchange<'a>(method: u16, r: &mut Reader<'a>) -> Option<Method<'a>> {
    Some(match method {
        10 => {
            r.u16()?;
            let (name, kind, passive) = (r.name()?, r.name()?, r.bit()?);
            let flags = ExchangeFlags { durable: r.bit()?, auto_delete: r.bit()?, internal: r.bit()? };
            Method::ExchangeDeclare { name, kind, passive, flags, nowait: r.bit()?, arguments: r.table()? }
        }
        20 => {
            r.u16()?;
            Method::ExchangeDelete { name: r.name()?, if_unused: r.bit()?, nowait: r.bit()? }
        }
        30 | 40 => {
            r.u16()?;
            let (destination, source, key) = (r.name()?, r.name()?, r.short()?);
            let (nowait, arguments) = (r.bit()?, r.table()?);
            match method {
                30 => Method::ExchangeBind { destination, source, key, nowait, arguments },
                _ => Method::ExchangeUnbind { destination, source, key, nowait, arguments },
            }
        }
        11 | 21 | 31 | 51 => r.foreign(),
        _ => return None,
    })
}

fn queue<'a>(method: u16, r: &mut Reader<'a>) -> Option<Method<'a>> {
    Some(match method {
        10 => {
            r.u16()?;
            let (name, passive) = (r.name()?, r.bit()?);
            let flags = QueueFlags { durable: r.bit()?, exclusive: r.bit()?, auto_delete: r.bit()? };
            Method::QueueDeclare { name, passive, flags, nowait: r.bit()?, arguments: r.table()? }
        }
        20 => {
            r.u16()?;
            let (queue, exchange, key) = (r.name()?, r.name()?, r.short()?);
            Method::QueueBind { queue, exchange, key, nowait: r.bit()?, arguments: r.table()? }
        }
        50 => {
            r.u16()?;
            Method::QueueUnbind { queue: r.name()?, exchange: r.name()?, key: r.short()?, arguments: r.table()? }
        }
        30 => {
            r.u16()?;
            Method::QueuePurge { queue: r.name()?, nowait: r.bit()? }
        }
        40 => {
            r.u16()?;
            Method::QueueDelete { queue: r.name()?, if_unused: r.bit()?, if_empty: r.bit()?, nowait: r.bit()? }
        }
        11 | 21 | 31 | 41 | 51 => r.foreign(),
        _ => return None,
    })
}

fn basic<'a>(method: u16, r: &mut Reader<'a>) -> Option<Method<'a>> {
    Some(match method {
        10 => Method::Qos { size: r.u32()?, count: r.u16()?, global: r.bit()? },
        20 => {
            r.u16()?;
            let (queue, tag) = (r.name()?, r.name()?);
            // `no-local` has no meaning in RabbitMQ.
            r.bit()?;
            let (no_ack, exclusive, nowait) = (r.bit()?, r.bit()?, r.bit()?);
            Method::Consume { queue, tag, no_ack, exclusive, nowait, arguments: r.table()? }
        }
        30 => Method::Cancel { tag: r.name()?, nowait: r.bit()? },
        40 => {
            r.u16()?;
            // The one short string that RabbitMQ takes as it is.
            Method::Publish { exchange: r.name()?, key: r.plain().short()?, mandatory: r.bit()?, immediate: r.bit()? }
        }
        70 => {
            r.u16()?;
            Method::Get { queue: r.name()?, no_ack: r.bit()? }
        }
        80 => Method::Ack { tag: r.u64()?, multiple: r.bit()? },
        90 => Method::Reject { tag: r.u64()?, requeue: r.bit()? },
        100 => Method::Recover { requeue: r.bit()?, is_async: true },
        110 => Method::Recover { requeue: r.bit()?, is_async: false },
        120 => Method::Nack { tag: r.u64()?, multiple: r.bit()?, requeue: r.bit()? },
        11 | 21 | 31 | 50 | 60 | 71 | 72 | 111 => r.foreign(),
        _ => return None,
    })
}

/// Of access, confirms and transactions.
fn other<'a>(id: MethodId, r: &mut Reader<'a>) -> Option<Method<'a>> {
    Some(match id {
        (30, 10) => {
            r.short()?;
            r.bit()?;
            Method::AccessRequest
        }
        (85, 10) => Method::ConfirmSelect { nowait: r.bit()? },
        (90, 10 | 20 | 30) => Method::Tx,
        (30, 11) | (85, 11) | (90, 11 | 21 | 31) => r.foreign(),
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

    /// A method that only servers send: what it holds does not matter.
    fn foreign(&mut self) -> Method<'a> {
        self.plain().0 = &[];
        Method::Foreign
    }

    /// Code, text, class and method of a close: there is nothing to do about them.
    fn close(&mut self) -> Option<()> {
        self.u16()?;
        self.short()?;
        self.u16()?;
        self.u16().map(drop)
    }
}
