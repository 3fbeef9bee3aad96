//! The sections of a profile, one for each protocol: a new protocol adds its settings struct here.

use crate::config::SectionInfo;
use crate::{amqp, grpc, kafka};

/// All of them, in the order in which they are shown: the one list of the protocols that connect. A test holds it against
/// the commands.
pub fn section_infos() -> Vec<SectionInfo> {
    vec![
        SectionInfo::of::<grpc::settings::Settings>(),
        SectionInfo { import: amqp::import, ..SectionInfo::of::<amqp::settings::Settings>() },
        SectionInfo { import: kafka::import, ..SectionInfo::of::<kafka::settings::Settings>() },
    ]
}
