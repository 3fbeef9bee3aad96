//! The settings of topics.

use rdkafka::bindings as rd;

use super::{Admin, Made, Said, each, name};
use crate::kafka::ffi::text;

/// Who set a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetBy {
    /// The topic itself.
    Topic,
    /// A broker, or Kafka's default.
    Elsewhere,
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
}

/// The settings of something, or why they cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Its name.
    pub name: String,
    /// All its settings.
    pub result: Result<Vec<Setting>, Said>,
}

impl Admin<'_> {
    /// Reads the settings of topics; each has its own outcome.
    ///
    /// # Errors
    /// The request as a whole.
    pub(crate) fn topic_settings(&self, topics: &[String]) -> Result<Vec<Settings>, Said> {
        let mut made = Made::none(rd::rd_kafka_ConfigResource_destroy);
        for topic in topics {
            let title = name(topic)?;
            let kind = rd::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC;
            // SAFETY: librdkafka copies the name; `made` gives the object back.
            let resource = unsafe { rd::rd_kafka_ConfigResource_new(kind, title.as_ptr()) };
            made.push(resource, || super::Reason::default().said())?;
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
}

fn settings(of: *const rd::rd_kafka_ConfigResource_t) -> Settings {
    // SAFETY: called by `each` for what lives; all texts end in a zero byte or are null.
    unsafe {
        let said = Said::of(rd::rd_kafka_ConfigResource_error(of), rd::rd_kafka_ConfigResource_error_string(of));
        let all = || each(|count| rd::rd_kafka_ConfigResource_configs(of, count), setting);
        Settings { name: text(rd::rd_kafka_ConfigResource_name(of)), result: said.map_or_else(|| Ok(all()), Err) }
    }
}

fn setting(of: *const rd::rd_kafka_ConfigEntry_t) -> Setting {
    // SAFETY: as above.
    unsafe {
        let value = rd::rd_kafka_ConfigEntry_value(of);
        Setting {
            name: text(rd::rd_kafka_ConfigEntry_name(of)),
            value: (!value.is_null()).then(|| text(value)),
            set_by: match rd::rd_kafka_ConfigEntry_source(of) {
                rd::rd_kafka_ConfigSource_t::RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG => SetBy::Topic,
                _ => SetBy::Elsewhere,
            },
        }
    }
}
