//! `--filter`, `--map` and what belongs to them.

use super::guarded::{Guarded, OnFault};
use super::program::Program;
use super::stage::{Filter, Map};
use super::values::Values;
use crate::error::{Error, Result};
use crate::flow::Stage;

const HEADING: &str = "Filter";

/// Programs over each message.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct JqArgs {
    /// Only messages for which this jq program gives something other than false and null
    ///
    /// The program sees the message as its JSON envelope (-o json), but with the body as `.value`: what it says where it is
    /// JSON, as in '.value.id == 7 and .value.kind == "a"', else a string, or {"$base64": …}. --count counts what passes. What
    /// does not was not asked for: a Kafka group's offset passes over it, a queue keeps it.
    #[arg(long, help_heading = HEADING, value_name = "JQ")]
    filter: Option<String>,
    /// What each becomes.
    #[command(flatten)]
    map: MapArgs,
}

/// A program that gives what goes on.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct MapArgs {
    /// What goes on in place of each message: the envelopes that this jq program gives, none to many
    ///
    /// It sees what --filter sees, and comes after it. A `.value` that it leaves equal keeps its bytes; a string becomes text,
    /// {"$base64": …} bytes, null no value, and anything else JSON. A message for which it gives nothing was not asked for, as
    /// with --filter.
    #[arg(long, help_heading = HEADING, value_name = "JQ")]
    map: Option<String>,
    /// What happens when a program fails on a message: stop (it goes back) or skip (it is left out)
    #[arg(long, help_heading = HEADING, value_name = "WHAT", value_enum, default_value_t, hide_short_help = true)]
    filter_error: OnFault,
}

impl JqArgs {
    /// The stages, in their order.
    ///
    /// # Errors
    /// `Kind::Usage`: what was typed is no program.
    pub(crate) fn stages(&self) -> Result<Vec<Box<dyn Stage>>> {
        let (filter, map) = self.programs()?;
        let mut stages: Vec<Box<dyn Stage>> = Vec::new();
        if let (Some(filter), Some(text)) = (filter, &self.filter) {
            stages.push(Box::new(Filter::new(filter, text)));
        }
        if let Some(map) = map {
            stages.push(Box::new(Map::new(map)));
        }
        Ok(stages)
    }

    /// The programs, for what is no message; `None` where there are none.
    ///
    /// # Errors
    /// As [`JqArgs::stages`].
    pub(crate) fn values(&self) -> Result<Option<Values>> {
        let (filter, map) = self.programs()?;
        Ok(Values::of(filter, map))
    }

    fn programs(&self) -> Result<(Option<Guarded>, Option<Guarded>)> {
        let (filter, map) = (self.map.compiled("--filter", &self.filter)?, self.map.program()?);
        if filter.is_none() && map.is_none() && self.map.filter_error != OnFault::default() {
            return Err(Error::usage("--filter-error without a program").hint("add --filter or --map, or leave it out"));
        }
        Ok((filter, map))
    }

    /// What may be left out of a queue.
    pub(crate) fn of_queue(&self) -> LeavesOut {
        match (&self.filter, &self.map.map) {
            (Some(_), _) => LeavesOut::Most,
            (None, Some(_)) => LeavesOut::Some,
            (None, None) => LeavesOut::Nothing,
        }
    }
}

impl MapArgs {
    /// The stage; `None` without a program.
    ///
    /// # Errors
    /// As [`JqArgs::stages`].
    pub(crate) fn stage(&self) -> Result<Option<Box<dyn Stage>>> {
        Ok(self.program()?.map(|map| Box::new(Map::new(map)) as Box<dyn Stage>))
    }

    fn program(&self) -> Result<Option<Guarded>> {
        self.compiled("--map", &self.map)
    }

    fn compiled(&self, flag: &'static str, text: &Option<String>) -> Result<Option<Guarded>> {
        let program = text.as_ref().map(|text| Program::compile(flag, text)).transpose()?;
        Ok(program.map(|program| Guarded::new(program, self.filter_error)))
    }
}

/// How much of a queue a program leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeavesOut {
    /// There is no program.
    Nothing,
    /// It maps messages, and may give nothing for some.
    Some,
    /// It asks for some of them.
    Most,
}
