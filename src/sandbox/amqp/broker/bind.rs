//! Bindings: from exchanges to queues, and to other exchanges.

use std::rc::Rc;

use super::exchange::{Binding, Destination, ExchangeKind, check_headers_binding, no_exchange, not_default};
use super::fault::Fault;
use super::table::Table;
use super::{Broker, ConnectionId};

/// Where a binding leads, by name.
#[derive(Clone, Copy)]
pub(crate) enum End<'a> {
    /// To a queue.
    Queue(&'a str),
    /// To an exchange.
    Exchange(&'a str),
}

impl Broker {
    /// Binds a queue or an exchange to an exchange.
    ///
    /// # Errors
    /// One of them is not there, or may not be bound.
    pub(super) fn bind(
        &mut self,
        id: ConnectionId,
        source: &str,
        end: End<'_>,
        key: &[u8],
        arguments: Table,
    ) -> Result<(), Fault> {
        // Their order is no difference.
        let mut arguments = arguments;
        arguments.sort();
        let (exchange, destination) = self.ends(id, source, end)?;
        let Some(vhost) = self.vhost_of(id) else { return Ok(()) };
        if vhost.exchanges.get(&exchange).is_some_and(|exchange| exchange.kind == ExchangeKind::Headers) {
            check_headers_binding(&arguments)?;
        }
        vhost.bind(&exchange, Binding { destination, key: key.into(), arguments });
        Ok(())
    }

    /// Takes a binding back.
    ///
    /// # Errors
    /// It is one of the default exchange.
    pub(super) fn unbind(
        &mut self,
        id: ConnectionId,
        source: &str,
        end: End<'_>,
        key: &[u8],
        mut arguments: Table,
    ) -> Result<(), Fault> {
        arguments.sort();
        if let End::Exchange(name) = end {
            not_default(name)?;
        }
        not_default(source)?;
        let Some(vhost) = self.vhost_of(id) else { return Ok(()) };
        // Where there is nothing to unbind, that is as good as done.
        let destination = match end {
            End::Queue(name) => vhost.queues.get(name).copied().map(Destination::Queue),
            End::Exchange(name) => Some(Destination::Exchange(name.into())),
        };
        if let Some(destination) = destination {
            vhost.unbind(source, &Binding { destination, key: key.into(), arguments });
        }
        Ok(())
    }

    /// The two ends of a binding.
    fn ends(&mut self, id: ConnectionId, source: &str, end: End<'_>) -> Result<(Rc<str>, Destination), Fault> {
        if let End::Exchange(name) = end {
            not_default(name)?;
        }
        not_default(source)?;
        let Some(vhost) = self.vhost_of(id) else { return Err(no_exchange(source, "")) };
        let Some(exchange) = vhost.exchanges.get(source).map(|x| x.name.clone()) else {
            return Err(no_exchange(source, &vhost.name));
        };
        let destination = match end {
            End::Queue(name) => Destination::Queue(self.usable_queue(id, name)?),
            End::Exchange(name) => match vhost.exchanges.get(name) {
                Some(exchange) => Destination::Exchange(exchange.name.clone()),
                None => return Err(no_exchange(name, &vhost.name)),
            },
        };
        Ok((exchange, destination))
    }
}
