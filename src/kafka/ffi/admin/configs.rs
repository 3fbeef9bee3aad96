//! The settings of topics and brokers.

use std::ffi::{c_int, c_uint};
use std::ptr;

use rdkafka::bindings as rd;

use super::{Admin, AdminOutcome, Asking, Made, Reason, Said, each, name, taken};
use crate::kafka::ffi::text;

// As rdkafka-sys declares it its value is an `enum`, and a broker of a later version may say what that has not.
unsafe extern "C" {
    #[link_name = "rd_kafka_ConfigEntry_source"]
    fn source(of: *const rd::rd_kafka_ConfigEntry_t) -> c_uint;
}

/// Numbers of the protocol: org.apache.kafka.common.requests.DescribeConfigsResponse.ConfigSource.
const TOPIC: c_uint = 1;
const BROKER: c_uint = 2;
const DEFAULT: c_uint = 5;

/// Who set a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetBy {
    /// The topic itself.
    Topic,
    /// The broker, while it ran.
    Broker,
    /// All brokers together, while they ran.
    Brokers,
    /// The broker's file.
    File,
    /// Nobody: it is Kafka's default.
    Default,
    /// Somebody else.
    Other,
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    /// Its name.
    pub name: String,
    /// Its value; the broker shows none for a secret.
    pub value: Option<String>,
    /// Who set it.
    pub set_by: SetBy,
    /// The value that it has from further away: without what the topic itself, or the broker, says.
    pub inherited: Option<String>,
    /// Kafka's default, where it has one by this very name or another.
    pub default: Option<String>,
    /// It cannot be changed while the broker runs.
    pub is_read_only: bool,
    /// Its value is a secret.
    pub is_secret: bool,
}

/// What has settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A topic.
    Topic(String),
    /// A broker, by its id.
    Broker(i32),
}

/// The settings of something, or why they cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Its name.
    pub name: String,
    /// All its settings.
    pub result: Result<Vec<Setting>, Said>,
}

/// What is done to a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// It gets this value.
    Set(String),
    /// It goes back to the default.
    Unset,
    /// Its list gets these, too.
    Add(String),
    /// Its list loses these.
    Remove(String),
}

/// A topic's or a broker's settings are to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alteration {
    /// Whose.
    pub owner: Owner,
    /// Each with its name.
    pub changes: Vec<(String, Change)>,
}

impl Owner {
    /// As librdkafka has it.
    fn made(&self) -> Result<*mut rd::rd_kafka_ConfigResource_t, Said> {
        let (kind, title) = match self {
            Owner::Topic(topic) => (rd::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC, name(topic)?),
            Owner::Broker(id) => (rd::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_BROKER, name(&id.to_string())?),
        };
        // SAFETY: librdkafka copies the name; who asks gives the object back.
        Ok(unsafe { rd::rd_kafka_ConfigResource_new(kind, title.as_ptr()) })
    }
}

impl Admin<'_> {
    /// Reads the settings of topics; each has its own outcome.
    ///
    /// # Errors
    /// The request as a whole.
    pub(crate) fn topic_settings(&self, topics: &[String]) -> Result<Vec<Settings>, Said> {
        let topics: Vec<Owner> = topics.iter().map(|topic| Owner::Topic(topic.clone())).collect();
        self.settings(&topics, &[])
    }

    /// Reads the settings of topics, and of one broker at most; each has its own outcome. Of all settings, unless `only` some
    /// are asked for.
    ///
    /// # Errors
    /// The request as a whole.
    pub(crate) fn settings(&self, of: &[Owner], only: &[&str]) -> Result<Vec<Settings>, Said> {
        let mut made = Made::none(rd::rd_kafka_ConfigResource_destroy);
        for owner in of {
            let resource = made.push(owner.made()?, || Reason::default().said())?;
            for key in only {
                let key = name(key)?;
                // SAFETY: the resource lives; librdkafka copies the name, and asks for those that are named.
                unsafe { rd::rd_kafka_ConfigResource_set_config(resource, key.as_ptr(), c"".as_ptr()) };
            }
        }
        let (array, count) = made.array();
        let answer =
            self.ask(rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, |client, options, queue| {
                // SAFETY: everything lives until the call is over, and librdkafka copies the resources.
                unsafe { rd::rd_kafka_DescribeConfigs(client, array, count, options, queue) }
            })?;
        // SAFETY: the answer is one to this request, and its lists live as long as it.
        Ok(unsafe {
            let result = rd::rd_kafka_event_DescribeConfigs_result(answer.pointer());
            each(|count| rd::rd_kafka_DescribeConfigs_result_resources(result, count), settings)
        })
    }

    /// Changes settings of topics, and of one broker at most; each has its own outcome, and all of its changes or none.
    /// `only_check` leaves it at the broker's opinion.
    ///
    /// # Errors
    /// The request as a whole.
    pub(crate) fn alter_settings(&self, of: &[Alteration], only_check: bool) -> Result<Vec<AdminOutcome>, Said> {
        let mut made = Made::none(rd::rd_kafka_ConfigResource_destroy);
        for Alteration { owner, changes } in of {
            let resource = made.push(owner.made()?, || Reason::default().said())?;
            for (key, change) in changes {
                add(resource, key, change)?;
            }
        }
        let (array, count) = made.array();
        let request = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_INCREMENTALALTERCONFIGS;
        let asking = if only_check { Asking::Check } else { Asking::Plainly };
        let answer = self.ask_for(request, asking, |client, options, queue| {
            // SAFETY: everything lives until the call is over, and librdkafka copies the resources.
            unsafe { rd::rd_kafka_IncrementalAlterConfigs(client, array, count, options, queue) }
        })?;
        // SAFETY: the answer is one to this request, and its list lives as long as it.
        Ok(unsafe {
            let result = rd::rd_kafka_event_IncrementalAlterConfigs_result(answer.pointer());
            each(|count| rd::rd_kafka_IncrementalAlterConfigs_result_resources(result, count), outcome)
        })
    }
}

fn add(resource: *mut rd::rd_kafka_ConfigResource_t, key: &str, change: &Change) -> Result<(), Said> {
    use rd::rd_kafka_AlterConfigOpType_t as Op;
    let (operation, value) = match change {
        Change::Set(value) => (Op::RD_KAFKA_ALTER_CONFIG_OP_TYPE_SET, Some(name(value)?)),
        Change::Unset => (Op::RD_KAFKA_ALTER_CONFIG_OP_TYPE_DELETE, None),
        Change::Add(value) => (Op::RD_KAFKA_ALTER_CONFIG_OP_TYPE_APPEND, Some(name(value)?)),
        Change::Remove(value) => (Op::RD_KAFKA_ALTER_CONFIG_OP_TYPE_SUBTRACT, Some(name(value)?)),
    };
    let key = name(key)?;
    let value = value.as_ref().map_or(ptr::null(), |value| value.as_ptr());
    // SAFETY: the resource lives, librdkafka copies both texts, and the error is ours.
    unsafe { taken(rd::rd_kafka_ConfigResource_add_incremental_config(resource, key.as_ptr(), operation, value)) }
}

fn settings(of: *const rd::rd_kafka_ConfigResource_t) -> Settings {
    let AdminOutcome { name, result } = outcome(of);
    // SAFETY: called by `each` for what lives.
    let all = || unsafe {
        let is_topic = rd::rd_kafka_ConfigResource_type(of) == rd::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC;
        let own = if is_topic { TOPIC } else { BROKER };
        each(|count| rd::rd_kafka_ConfigResource_configs(of, count), |of| setting(of, own))
    };
    Settings { name, result: result.map(|()| all()) }
}

fn outcome(of: *const rd::rd_kafka_ConfigResource_t) -> AdminOutcome {
    // SAFETY: called for what lives; all texts end in a zero byte or are null.
    unsafe {
        let said = Said::of(rd::rd_kafka_ConfigResource_error(of), rd::rd_kafka_ConfigResource_error_string(of));
        AdminOutcome { name: text(rd::rd_kafka_ConfigResource_name(of)), result: said.map_or(Ok(()), Err) }
    }
}

/// SAFETY: the entry lives; its value ends in a zero byte or is null.
unsafe fn value(of: *const rd::rd_kafka_ConfigEntry_t) -> Option<String> {
    // SAFETY: the caller's promise.
    unsafe {
        let value = rd::rd_kafka_ConfigEntry_value(of);
        (!value.is_null()).then(|| text(value))
    }
}

fn setting(of: *const rd::rd_kafka_ConfigEntry_t, own: c_uint) -> Setting {
    let is = |what: c_int| what != 0;
    // SAFETY: as above. Those that it stands before are told in the order in which they count.
    unsafe {
        let further = each(|count| rd::rd_kafka_ConfigEntry_synonyms(of, count), |of| (source(of), value(of)));
        Setting {
            name: text(rd::rd_kafka_ConfigEntry_name(of)),
            value: value(of),
            default: further.iter().find(|(source, _)| *source == DEFAULT).and_then(|(_, value)| value.clone()),
            inherited: further.into_iter().find(|(source, _)| *source != own).and_then(|(_, value)| value),
            set_by: match source(of) {
                TOPIC => SetBy::Topic,
                BROKER => SetBy::Broker,
                3 => SetBy::Brokers,
                4 => SetBy::File,
                DEFAULT => SetBy::Default,
                _ => SetBy::Other,
            },
            is_read_only: is(rd::rd_kafka_ConfigEntry_is_read_only(of)),
            is_secret: is(rd::rd_kafka_ConfigEntry_is_sensitive(of)),
        }
    }
}
