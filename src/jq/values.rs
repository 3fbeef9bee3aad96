//! Programs over what is no message of a broker: the responses of a call.

use jaq_json::{Val, read};

use super::back::{text_of, text_of_pretty};
use super::guarded::Guarded;
use super::program::shortened;
use super::stage::PARTS;

/// Programs over envelopes that are JSON already.
pub(crate) struct Values {
    filter: Option<Guarded>,
    map: Option<Guarded>,
}

/// What goes on in place of an envelope.
pub(crate) enum Given {
    /// It does.
    Same,
    /// These, which may be none.
    These(Vec<Envelope>),
}

/// An envelope that a program gave, or what is below its `value`.
pub(crate) struct Envelope {
    /// All of it, as compact JSON.
    pub whole: Vec<u8>,
    /// Its `value`, as compact
    pub value: Vec<u8>,
    /// and as indented JSON.
    pub pretty: Vec<u8>,
}

impl Values {
    /// These programs; `None` where there are none.
    pub(super) fn of(filter: Option<Guarded>, map: Option<Guarded>) -> Option<Values> {
        (filter.is_some() || map.is_some()).then_some(Values { filter, map })
    }

    /// What programs make of an envelope.
    ///
    /// # Errors
    /// One failed on it: a sentence.
    pub(crate) fn apply(&self, envelope: &[u8]) -> Result<Given, String> {
        let seen = read::parse_single(envelope).map_err(|e| format!("the response cannot be read as JSON: {e}"))?;
        if let Some(filter) = &self.filter {
            match filter.program.passes(seen.clone()) {
                Ok(true) => {}
                Ok(false) => return Ok(Given::These(Vec::new())),
                Err(why) => return filter.failed(why).map(|()| Given::These(Vec::new())),
            }
        }
        let Some(map) = &self.map else { return Ok(Given::Same) };
        let mapped = map.program.run(seen).enumerate().map(|(count, given)| match count {
            PARTS.. => Err(map.program.fault(&format!("it gives more than {PARTS} responses"))),
            _ => written(&given?).map_err(|why| map.program.fault(&why)),
        });
        match mapped.collect::<Result<Vec<_>, String>>() {
            Ok(given) => Ok(Given::These(given)),
            Err(why) => map.failed(why).map(|()| Given::These(Vec::new())),
        }
    }

    /// What they told since they were asked last.
    pub(crate) fn told(&self) -> Vec<String> {
        self.both().flat_map(|guarded| guarded.program.told()).collect()
    }

    /// What was skipped, in words.
    pub(crate) fn account(&self) -> Vec<String> {
        self.both().filter_map(Guarded::account).collect()
    }

    fn both(&self) -> impl Iterator<Item = &Guarded> {
        self.filter.iter().chain(&self.map)
    }
}

fn written(given: &Val) -> Result<Envelope, String> {
    let value = match given {
        Val::Obj(object) => object.get(&Val::utf8_str("value")),
        _ => None,
    };
    let Some(value) = value else {
        return Err(format!("it gives {}, which is no envelope with a `value`", shortened(given.to_string())));
    };
    Ok(Envelope { whole: text_of(given)?, value: text_of(value)?, pretty: text_of_pretty(value)? })
}
