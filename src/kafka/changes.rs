//! Settings of topics and brokers: how they are shown, and how they are changed.

use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode as Code;
use serde_json::{Value, json};

use super::client::{administer, said_error, topic_refused};
use super::ffi::{Alteration, Change, Owner, Said, SetBy, Setting};
use super::shared::AdminClient;
use crate::context::Context;
use crate::error::{Error, Result, nearest};
use crate::output::{Table, TableLayout, Terminal};
use crate::secret::MASK;

/// How long the brokers may take to tell each other.
const SPREAD: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);

/// What is shown of a setting, behind whose it is.
pub(crate) const fn columns(of: &'static str) -> [&'static str; 4] {
    [of, "config", "value", "set_by"]
}

/// The rows of the settings that differ from the default, or that were given to the topic or the broker itself; or of all. By
/// their names.
pub(crate) fn rows(of: &Value, settings: Vec<Setting>, all: bool) -> Vec<[Value; 4]> {
    let is_own = |s: &Setting| match s.set_by {
        SetBy::Topic | SetBy::Broker => true,
        SetBy::Default => false,
        SetBy::Brokers | SetBy::File | SetBy::Other => s.is_secret || s.value != s.default,
    };
    let mut shown: Vec<Setting> = settings.into_iter().filter(|s| all || is_own(s)).collect();
    shown.sort_by(|a, b| a.name.cmp(&b.name));
    let row = |s: Setting| {
        // The broker shows none.
        let value = if s.is_secret { json!(MASK) } else { json!(s.value) };
        [of.clone(), json!(s.name), value, json!(who(s.set_by))]
    };
    shown.into_iter().map(row).collect()
}

/// Who set a setting, in words.
fn who(set_by: SetBy) -> &'static str {
    match set_by {
        SetBy::Topic => "topic",
        SetBy::Broker => "broker",
        SetBy::Brokers => "all brokers",
        SetBy::File => "broker's file",
        SetBy::Default => "default",
        SetBy::Other => "other",
    }
}

/// What is to change.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct ChangeArgs {
    /// Give a setting a value, as retention.ms=604800000. May be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    set: Vec<(String, String)>,
    /// Take a setting back to what it is by default. May be repeated
    #[arg(long, value_name = "KEY")]
    unset: Vec<String>,
    /// Add to a setting that is a list, as cleanup.policy=compact. May be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    add: Vec<(String, String)>,
    /// Remove from a setting that is a list. May be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    remove: Vec<(String, String)>,
    /// Say what would change, as far as the broker would let it, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Reads a setting with its value.
///
/// # Errors
/// The form.
pub(crate) fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE, as cleanup.policy=compact".to_owned()),
    }
}

impl ChangeArgs {
    /// The changes, each of another setting.
    ///
    /// # Errors
    /// `Kind::Usage` for a setting that is named twice.
    pub(crate) fn changes(&self) -> Result<Vec<(String, Change)>> {
        let ChangeArgs { set, unset, add, remove, dry_run: _ } = self;
        let with = |of: &[(String, String)], what: fn(String) -> Change| -> Vec<(String, Change)> {
            of.iter().map(|(key, value)| (key.clone(), what(value.clone()))).collect()
        };
        let mut changes = with(set, Change::Set);
        changes.extend(unset.iter().map(|key| (key.clone(), Change::Unset)));
        changes.extend(with(add, Change::Add));
        changes.extend(with(remove, Change::Remove));
        for (at, (key, _)) in changes.iter().enumerate() {
            if changes.iter().take(at).any(|(other, _)| other == key) {
                return Err(Error::usage(format!("the setting `{key}` is named twice"))
                    .hint("a setting changes once; several values of a list go into one, as KEY=A,B"));
            }
            if key.is_empty() || key.contains('=') {
                return Err(Error::usage(format!("`{key}` is no setting's name")).hint("--unset takes the name alone"));
            }
        }
        Ok(changes)
    }
}

/// What a setting is before and after its change. One that is not there yet has nothing before.
pub(crate) fn before_and_after(key: &str, change: &Change, settings: &[Setting]) -> (Option<String>, Option<String>) {
    let found = settings.iter().find(|setting| setting.name == key);
    let before = found.and_then(|setting| setting.value.clone());
    let list = || before.as_deref().unwrap_or_default().split(',').map(str::trim).filter(|one| !one.is_empty());
    let named = |value: &str| value.split(',').map(|one| one.trim().to_owned()).collect::<Vec<_>>();
    let after = match change {
        Change::Set(value) => Some(value.clone()),
        Change::Unset => found.and_then(|setting| setting.inherited.clone()),
        Change::Add(value) => {
            let mut all: Vec<String> = list().map(str::to_owned).collect();
            let new: Vec<String> = named(value).into_iter().filter(|one| !all.contains(one)).collect();
            all.extend(new);
            Some(all.join(","))
        }
        Change::Remove(value) => {
            let gone = named(value);
            Some(list().filter(|one| !gone.iter().any(|g| g == one)).collect::<Vec<_>>().join(","))
        }
    };
    (before, after)
}

/// What there is nothing to take back from: brokers have nothing against that.
///
/// # Errors
/// `Kind::Refused`.
pub(crate) fn check_known(whose: &str, changes: &[(String, Change)], settings: &[Setting]) -> Result<()> {
    let takes = |change: &Change| matches!(change, Change::Unset | Change::Remove(_));
    let unknown = |key: &str| !settings.iter().any(|setting| setting.name == key);
    match changes.iter().find(|(key, change)| takes(change) && unknown(key)) {
        Some((key, _)) => Err(with_near(Error::refused(format!("{whose} has no setting `{key}`")), changes, settings)),
        None => Ok(()),
    }
}

/// An error about settings, with one that is called much like what was named, where that is not known.
pub(crate) fn with_near(error: Error, changes: &[(String, Change)], settings: &[Setting]) -> Error {
    let names = || settings.iter().map(|setting| setting.name.as_str());
    let unknown = changes.iter().map(|(key, _)| key.as_str()).find(|key| !names().any(|name| name == *key));
    match unknown.and_then(|key| nearest(key, names())) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error,
    }
}

/// Shows what changed or would.
///
/// # Errors
/// The output's.
pub(crate) fn print(
    of: &'static str,
    rows: Vec<[Value; 4]>,
    dry_run: bool,
    output: Option<TableLayout>,
    terminal: &Terminal,
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut table = Table::new([of, "config", "before", "after"]).whole();
    rows.into_iter().for_each(|row| table.row(row));
    table.print(output, terminal)?;
    if dry_run {
        terminal.note("nothing was changed: this is what would be without --dry-run");
    }
    Ok(())
}

/// What changed or would, each with what is before and after it, and what was refused.
pub(crate) type Told = (Vec<[Value; 4]>, Vec<Error>);

/// Settings of several that are altered alike.
pub(crate) struct Altering<'a> {
    /// Whom it is asked of.
    pub client: &'a AdminClient,
    /// The surroundings.
    pub cx: &'a Context,
    /// What changes.
    pub changes: &'a [(String, Change)],
    /// Nothing changes: it is left at the broker's opinion.
    pub dry_run: bool,
}

/// Whose settings, what they are called in an answer, and in words.
fn named(owner: &Owner) -> (Value, String, String) {
    match owner {
        Owner::Topic(topic) => (json!(topic), topic.clone(), format!("topic `{topic}`")),
        Owner::Broker(id) => (json!(id), id.to_string(), format!("broker {id}")),
    }
}

impl Altering<'_> {
    fn ask<T>(&self, what: String, ask: impl FnOnce(&super::ffi::Admin<'_>) -> Result<T, Said>) -> Result<T> {
        administer(&**self.client, self.cx.policy.connect_timeout, &self.cx.shutdown, what, ask)
    }

    /// Changes the settings of topics, or of one broker, all of each or none; blocks.
    ///
    /// # Errors
    /// Those of a request as a whole.
    pub(crate) fn run(&self, owners: &[Owner], (rows, errors): &mut Told) -> Result<()> {
        let mut known: Vec<(Owner, Vec<Setting>)> = Vec::new();
        let answer = self.ask("cannot read the settings".to_owned(), |admin| admin.settings(owners, &[]))?;
        for (owner, found) in owners.iter().filter_map(|owner| {
            let (_, name, _) = named(owner);
            Some((owner, answer.iter().find(|found| found.name == name)?))
        }) {
            let (_, _, whose) = named(owner);
            match &found.result {
                Ok(settings) => match check_known(&whose, self.changes, settings) {
                    Ok(()) => known.push((owner.clone(), settings.clone())),
                    Err(error) => errors.push(error),
                },
                Err(said) => errors.push(said_error(format!("cannot read the settings of {whose}"), said)),
            }
        }
        let alteration = |owner: &Owner| Alteration { owner: owner.clone(), changes: self.changes.to_vec() };
        let all: Vec<Alteration> = known.iter().map(|(owner, _)| alteration(owner)).collect();
        if all.is_empty() {
            return Ok(());
        }
        let outcomes =
            self.ask("cannot alter settings".to_owned(), |admin| admin.alter_settings(&all, self.dry_run))?;
        let mut done = Vec::new();
        for (owner, settings) in known {
            let (label, name, whose) = named(&owner);
            let outcome = outcomes.iter().find(|outcome| outcome.name == name).map(|outcome| &outcome.result);
            if let Some(Err(said)) = outcome {
                errors.push(with_near(refused(&owner, &whose, said), self.changes, &settings));
                continue;
            }
            let mut expected = Vec::new();
            for (key, change) in self.changes {
                let (before, after) = before_and_after(key, change, &settings);
                let is_secret = settings.iter().any(|setting| setting.name == *key && setting.is_secret);
                let shown = |value: &Option<String>| if is_secret { json!(MASK) } else { json!(value) };
                rows.push([label.clone(), json!(key), shown(&before), shown(&after)]);
                if !is_secret {
                    expected.push((key.clone(), after));
                }
            }
            done.push((owner, expected));
        }
        if self.dry_run { Ok(()) } else { self.spread(done) }
    }

    /// Waits until the broker that is asked shows what was changed, so that the next command finds it so.
    fn spread(&self, mut done: Vec<(Owner, Vec<Expected>)>) -> Result<()> {
        let until = Instant::now() + SPREAD;
        while !done.is_empty() && Instant::now() < until {
            self.cx.shutdown.check()?;
            let owners: Vec<Owner> = done.iter().map(|(owner, _)| owner.clone()).collect();
            for found in self.ask("cannot read the settings".to_owned(), |admin| admin.settings(&owners, &[]))? {
                let Ok(settings) = found.result else { continue };
                // What is not shown at all is taken back.
                let is = |(key, after): &Expected| {
                    settings.iter().find(|setting| setting.name == *key).map(|setting| &setting.value)
                        == after.as_ref().map(|_| after)
                        || after.is_none()
                };
                done.retain(|(owner, expected)| named(owner).1 != found.name || !expected.iter().all(is));
            }
            if !done.is_empty() {
                std::thread::sleep(PAUSE);
            }
        }
        Ok(())
    }
}

/// Prints a table of settings, if there are any; why those of others cannot be read.
///
/// # Errors
/// The output's.
pub(crate) fn print_settings(
    of: &'static str,
    settings: Vec<Result<[Value; 4]>>,
    output: Option<TableLayout>,
    terminal: &Terminal,
) -> Result<Vec<Error>> {
    let (mut table, mut failed) = (Table::new(columns(of)), Vec::new());
    for setting in settings {
        match setting {
            Ok(row) => table.row(row),
            Err(fault) => failed.push(fault),
        }
    }
    if !table.is_empty() {
        table.print(output, terminal)?;
    }
    Ok(failed)
}

/// The name of a setting, and its value once it is changed.
type Expected = (String, Option<String>);

/// Why settings were not changed.
fn refused(owner: &Owner, whose: &str, said: &Said) -> Error {
    let error = match owner {
        Owner::Topic(topic) if said.code != Code::InvalidConfig => topic_refused(topic, said),
        _ => said_error(format!("cannot alter {whose}"), said),
    };
    match (owner, said.code) {
        (Owner::Broker(_), Code::InvalidRequest) => error.hint(
            "what is read-only is changed in the broker's file; `mscomm kafka broker describe --all` tells which",
        ),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, value: &str, inherited: Option<&str>) -> Setting {
        Setting {
            name: name.to_owned(),
            value: Some(value.to_owned()),
            set_by: SetBy::Topic,
            inherited: inherited.map(str::to_owned),
            default: None,
            is_read_only: false,
            is_secret: false,
        }
    }

    #[test]
    fn before_and_behind_a_change() {
        let settings = [one("policy", "delete,compact", Some("delete")), one("ms", "7", None)];
        let text = str::to_owned;
        for (key, change, after) in [
            ("ms", Change::Set(text("8")), Some("8")),
            ("policy", Change::Unset, Some("delete")),
            ("ms", Change::Unset, None),
            ("policy", Change::Add(text("compact, x")), Some("delete,compact,x")),
            ("policy", Change::Remove(text("delete")), Some("compact")),
            ("policy", Change::Remove(text("delete,compact")), Some("")),
            ("none", Change::Add(text("a")), Some("a")),
        ] {
            let (before, found) = before_and_after(key, &change, &settings);
            assert_eq!(found.as_deref(), after, "{key} {change:?}");
            let own = settings.iter().find(|s| s.name == key).and_then(|s| s.value.clone());
            assert_eq!(before, own);
        }
    }

    #[test]
    fn each_setting_changes_once() {
        let args = |set: &[&str], unset: &[&str]| ChangeArgs {
            set: set.iter().map(|text| setting(text).expect(text)).collect(),
            unset: unset.iter().map(|key| (*key).to_owned()).collect(),
            ..ChangeArgs::default()
        };
        assert_eq!(args(&["a=1", "b="], &["c"]).changes().expect("changes").len(), 3);
        for bad in [args(&["a=1", "a=2"], &[]), args(&["a=1"], &["a"]), args(&[], &["a=1"])] {
            assert!(bad.changes().is_err(), "{bad:?}");
        }
    }
}
