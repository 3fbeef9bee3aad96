//! What a setting is, and whether a value fits it, with Kafka's words where it does not (`ConfigDef`).

/// The type of a setting; the numbers are those of DescribeConfigs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean = 1,
    String = 2,
    Int = 3,
    Short = 4,
    Long = 5,
    Double = 6,
    List = 7,
}

/// What its values have to be, beside the type.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Check {
    Any,
    AtLeast(i64),
    Between(i64, i64),
    /// One of these, or a list of them.
    OneOf(&'static [&'static str]),
    /// gzip's levels: 1 to 9, or -1.
    Gzip,
    /// `*`, or partitions and brokers as `0:1,1:2`.
    Throttled,
}

/// A setting of a topic or of a broker.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    pub name: &'static str,
    pub kind: Kind,
    /// None for one that has no value unless it is set.
    pub default: Option<&'static str>,
    pub check: Check,
    /// For one of a topic, the settings of the broker that it is taken from; the first that has a value counts.
    pub synonyms: &'static [&'static str],
    /// What it does, for DescribeConfigs.
    pub doc: &'static str,
    /// Whether it can be changed while the broker runs.
    pub dynamic: bool,
}

/// A setting of a broker that cannot be changed.
pub(crate) const fn fixed(name: &'static str, kind: Kind, default: Option<&'static str>) -> Setting {
    Setting { name, kind, default, check: Check::Any, synonyms: &[], doc: "", dynamic: false }
}

/// A setting of a broker that can be changed.
pub(crate) const fn variable(name: &'static str, kind: Kind, default: Option<&'static str>) -> Setting {
    Setting { name, kind, default, check: Check::Any, synonyms: &[], doc: "", dynamic: true }
}

/// A setting by its name, from a table that is sorted by name.
pub(crate) fn find(table: &'static [Setting], name: &str) -> Option<&'static Setting> {
    table.binary_search_by(|setting| setting.name.cmp(name)).ok().and_then(|at| table.get(at))
}

/// The elements of a list.
pub(crate) fn elements(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(move |_| !value.trim().is_empty())
}

impl Setting {
    /// Whether a value fits.
    ///
    /// # Errors
    /// If not: why, as Kafka says it.
    pub(crate) fn validate(&self, value: &str) -> Result<(), String> {
        self.validate_with(value, self.check)
    }

    /// As [`Setting::validate`], with another check.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn validate_with(&self, value: &str, check: Check) -> Result<(), String> {
        let trimmed = value.trim();
        let invalid =
            |shown: &str, why: &str| Err(format!("Invalid value {shown} for configuration {}: {why}", self.name));
        let number = |name: &str| invalid(value, &format!("Not a number of type {name}"));
        match self.kind {
            Kind::Boolean if !trimmed.eq_ignore_ascii_case("true") && !trimmed.eq_ignore_ascii_case("false") => {
                return invalid(value, "Expected value to be either true or false");
            }
            Kind::Int if trimmed.parse::<i32>().is_err() => return number("INT"),
            Kind::Short if trimmed.parse::<i16>().is_err() => return number("SHORT"),
            Kind::Long if trimmed.parse::<i64>().is_err() => return number("LONG"),
            Kind::Double if trimmed.parse::<f64>().is_err() => return number("DOUBLE"),
            _ => {}
        }
        let why = match check {
            Check::Any => return Ok(()),
            Check::OneOf(allowed) => {
                let parts: Vec<&str> = if self.kind == Kind::List { elements(value).collect() } else { vec![trimmed] };
                return match parts.iter().find(|part| !allowed.contains(part)) {
                    Some(part) => invalid(part, &format!("String must be one of: {}", allowed.join(", "))),
                    None => Ok(()),
                };
            }
            Check::Throttled if is_throttled(value) => return Ok(()),
            Check::Throttled => {
                let shown = format!("[{}]", elements(value).collect::<Vec<_>>().join(", "));
                let form = "[partitionId]:[brokerId],[partitionId]:[brokerId],...";
                let why = "must be the literal '*' or a list of replicas in the following format:";
                return invalid(&shown, &format!("{} {why} {form}", self.name));
            }
            Check::Gzip => match trimmed.parse() {
                Ok(-1 | 1..=9) => return Ok(()),
                _ => "Value must be between 1 and 9 or equal to -1".to_owned(),
            },
            Check::AtLeast(min) => match at_least(trimmed, min) {
                Some(why) => why,
                None => return Ok(()),
            },
            Check::Between(min, max) => match at_least(trimmed, min).or_else(|| at_most(trimmed, max)) {
                Some(why) => why,
                None => return Ok(()),
            },
        };
        if self.kind == Kind::Double { invalid(&java_double(trimmed), &why) } else { invalid(trimmed, &why) }
    }
}

fn at_least(value: &str, min: i64) -> Option<String> {
    // An integer of 64 bits is exact; what is none is a double.
    let less = value.parse::<i64>().map_or_else(|_| value.parse::<f64>().is_ok_and(|v| v < min as f64), |v| v < min);
    less.then(|| format!("Value must be at least {min}"))
}

fn at_most(value: &str, max: i64) -> Option<String> {
    let more = value.parse::<i64>().map_or_else(|_| value.parse::<f64>().is_ok_and(|v| v > max as f64), |v| v > max);
    more.then(|| format!("Value must be no more than {max}"))
}

/// A double as Java writes it, nearly: with a point.
fn java_double(value: &str) -> String {
    value.parse::<f64>().map_or_else(|_| value.to_owned(), |value| format!("{value:?}"))
}

fn is_throttled(value: &str) -> bool {
    let pair =
        |part: &str| part.split_once(':').is_some_and(|(a, b)| a.parse::<u32>().is_ok() && b.parse::<u32>().is_ok());
    value.trim() == "*" || elements(value).all(pair)
}
