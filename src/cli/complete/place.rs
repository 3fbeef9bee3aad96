//! Where in the command tree the cursor stands, and what was typed before it.

use std::cell::OnceCell;

use clap::{Arg, ArgAction, Command};

use super::line::{Line, Word};
use crate::across::{bridge, respond};
use crate::{amqp, kafka, values};

/// The command tree, and those of the verbs behind a word of it, which are read by themselves.
#[derive(Default)]
pub(super) struct Trees {
    main: OnceCell<Command>,
    from: OnceCell<Command>,
    to: OnceCell<Command>,
    via_amqp: OnceCell<Command>,
    via_kafka: OnceCell<Command>,
}

impl Trees {
    /// The whole tree.
    pub(super) fn main(&self) -> &Command {
        self.main.get_or_init(crate::cli::tree::tree)
    }

    fn side(&self, side: Side) -> &Command {
        let (cell, make): (_, fn() -> Command) = match side {
            Side::From => (&self.from, bridge::reader_command),
            Side::To => (&self.to, bridge::writer_command),
            Side::ViaAmqp => (&self.via_amqp, respond::via_command::<amqp::RespondArgs>),
            Side::ViaKafka => (&self.via_kafka, respond::via_command::<kafka::RespondArgs>),
        };
        cell.get_or_init(|| {
            let mut command = make();
            command.build();
            command
        })
    }
}

/// A command line of its own inside the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// What `bridge` reads.
    From,
    /// What `bridge` writes.
    To,
    /// What answers for `amqp respond`.
    ViaAmqp,
    /// What answers for `kafka respond`.
    ViaKafka,
}

/// The word between the sides of a bridge.
pub(super) const TO: &str = "--to";

/// An argument that was typed.
pub(super) struct Typed<'c> {
    /// Which.
    pub arg: &'c Arg,
    /// Its value, where it has one.
    pub value: Option<String>,
    /// The shell puts something in place of a part of it.
    pub is_expanded: bool,
}

/// What can stand at the cursor.
pub(super) enum Expects<'c> {
    /// A value of this argument, behind what stands before it in the same word.
    Value(&'c Arg, String),
    /// A verb, a flag, or an argument without one.
    Word {
        /// The argument.
        positional: Option<&'c Arg>,
        /// Not behind `--`.
        flags: bool,
        /// No argument was typed.
        verbs: bool,
    },
    /// A command line of somebody else's, which begins with this word of ours.
    Command(usize),
    /// Nothing that we know of.
    Nothing,
}

/// Where the cursor stands.
pub(super) struct Place<'c> {
    /// The names of the commands on the way.
    pub path: Vec<&'c str>,
    /// The last of them.
    pub command: &'c Command,
    /// What was typed, that which stands before a side among it.
    pub typed: Vec<Typed<'c>>,
    /// What can stand there.
    pub expects: Expects<'c>,
    /// The side that it is in.
    pub side: Option<Side>,
}

/// On the way along the words.
struct Walk<'c> {
    place: Place<'c>,
    trees: &'c Trees,
    /// How many arguments without a flag were typed.
    positionals: usize,
    /// A flag that waits for its value.
    pending: Option<&'c Arg>,
    /// `--` was typed.
    is_ended: bool,
}

impl<'c> Place<'c> {
    /// Finds it. `None` where a word before the cursor is none of ours.
    pub(super) fn find(line: &Line, trees: &'c Trees) -> Option<Place<'c>> {
        let command = trees.main();
        let place = Place { path: Vec::new(), command, typed: Vec::new(), expects: Expects::Nothing, side: None };
        let mut walk = Walk { place, trees, positionals: 0, pending: None, is_ended: false };
        for (at, word) in line.words.iter().enumerate().skip(1) {
            if walk.is_command() {
                walk.place.expects = Expects::Command(at);
                return Some(walk.place);
            }
            walk.word(word)?;
        }
        walk.place.expects = walk.expects(line);
        Some(walk.place)
    }
}

impl<'c> Walk<'c> {
    /// The word may begin another tree.
    fn turns(&self, word: &str) -> Option<Side> {
        match (self.place.side, self.place.path.as_slice()) {
            (None, ["bridge"]) if self.pending.is_none() => match word {
                TO => Some(Side::To),
                _ => (!word.starts_with('-')).then_some(Side::From),
            },
            (Some(Side::From), _) if word == TO => Some(Side::To),
            (None, ["amqp", "respond"]) if self.pending.is_none() && word == "--via" => Some(Side::ViaAmqp),
            (None, ["kafka", "respond"]) if self.pending.is_none() && word == "--via" => Some(Side::ViaKafka),
            _ => None,
        }
    }

    fn turn(&mut self, side: Side) {
        // What a reader was told is nothing to the writer.
        self.place.typed.retain(|typed| typed.arg.is_global_set());
        self.place.path.clear();
        self.place.command = self.trees.side(side);
        self.place.side = Some(side);
        (self.positionals, self.pending, self.is_ended) = (0, None, false);
    }

    fn type_in(&mut self, arg: &'c Arg, value: Option<&str>, word: &Word) {
        let typed = Typed { arg, value: value.map(str::to_owned), is_expanded: word.is_expanded };
        self.place.typed.push(typed);
    }

    /// Goes on by one word. `None` when it is none of ours.
    fn word(&mut self, word: &Word) -> Option<()> {
        let text = word.text.as_str();
        if let Some(side) = self.turns(text) {
            self.turn(side);
            if text == TO || text == "--via" {
                return Some(());
            }
        }
        if let Some(arg) = self.pending.take() {
            self.type_in(arg, Some(text), word);
            return Some(());
        }
        if self.is_ended || !text.starts_with('-') || text == "-" {
            return self.plain(word);
        }
        if text == "--" {
            self.is_ended = true;
            return Some(());
        }
        if let Some(flag) = text.strip_prefix("--") {
            let (name, value) = flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(value)));
            let arg = self.long(name)?;
            match value {
                None if takes_next(arg) => self.pending = Some(arg),
                _ => self.type_in(arg, value, word),
            }
            return Some(());
        }
        match self.cluster(text)? {
            (arg, Some("")) => self.pending = Some(arg),
            (arg, value) => self.type_in(arg, value, word),
        }
        Some(())
    }

    /// A word that is no flag.
    fn plain(&mut self, word: &Word) -> Option<()> {
        let text = word.text.as_str();
        if self.positionals == 0 && !self.is_ended && self.place.command.has_subcommands() {
            self.place.command = self.place.command.find_subcommand(text)?;
            self.place.path.push(self.place.command.get_name());
            return Some(());
        }
        // `--wait 2s`: its value needs no `=`.
        if let Some(Typed { arg, value: value @ None, .. }) = self.place.typed.last_mut()
            && arg.get_id() == "wait"
            && values::duration(text).is_ok()
        {
            *value = Some(text.to_owned());
            return Some(());
        }
        let arg = self.positional()?;
        if !is_many(arg) {
            self.positionals += 1;
        }
        self.type_in(arg, Some(text), word);
        Some(())
    }

    /// The argument without a flag that comes next.
    fn positional(&self) -> Option<&'c Arg> {
        let mut plain = self.place.command.get_positionals().filter(|arg| !arg.is_last_set());
        plain.nth(self.positionals)
    }

    /// From here on it is somebody else's command.
    fn is_command(&self) -> bool {
        self.is_ended && self.pending.is_none() && self.place.command.get_positionals().any(Arg::is_last_set)
    }

    fn long(&self, name: &str) -> Option<&'c Arg> {
        let mut all = self.place.command.get_arguments();
        all.find(|arg| arg.get_long_and_visible_aliases().is_some_and(|names| names.contains(&name))).or_else(|| {
            let is_alias = |arg: &&Arg| arg.get_all_aliases().is_some_and(|names| names.contains(&name));
            self.place.command.get_arguments().find(is_alias)
        })
    }

    /// The last flag of some short ones, and what hangs on it where it takes a value.
    fn cluster<'t>(&self, text: &'t str) -> Option<(&'c Arg, Option<&'t str>)> {
        let mut found = None;
        for (at, c) in text.char_indices().skip(1) {
            let has = |arg: &&Arg| arg.get_short_and_visible_aliases().is_some_and(|shorts| shorts.contains(&c));
            let arg = self.place.command.get_arguments().find(has)?;
            if takes_next(arg) {
                let rest = text.get(at + c.len_utf8()..).unwrap_or_default();
                return Some((arg, Some(rest)));
            }
            found = Some((arg, None));
        }
        found
    }

    fn expects(&mut self, line: &Line) -> Expects<'c> {
        let text = line.current.text.as_str();
        // A reader may begin with what is being typed.
        if self.place.side.is_none()
            && self.place.path == ["bridge"]
            && self.pending.is_none()
            && !text.starts_with('-')
        {
            self.turn(Side::From);
        }
        if let Some(arg) = self.pending {
            return Expects::Value(arg, String::new());
        }
        if self.is_command() {
            return Expects::Command(line.words.len());
        }
        if !self.is_ended && text.starts_with("--") {
            if let Some((flag, _)) = text.split_once('=') {
                let arg = self.long(flag.trim_start_matches('-')).filter(|arg| arg.get_action().takes_values());
                return arg.map_or(Expects::Nothing, |arg| Expects::Value(arg, format!("{flag}=")));
            }
        } else if !self.is_ended
            && text.len() > 2
            && text.starts_with('-')
            && let Some((arg, Some(value))) = self.cluster(text)
        {
            let before = text.strip_suffix(value).unwrap_or(text);
            return Expects::Value(arg, before.to_owned());
        }
        Expects::Word {
            positional: self.positional(),
            flags: !self.is_ended,
            verbs: self.positionals == 0 && !self.is_ended && self.place.command.has_subcommands(),
        }
    }
}

/// Whether the next word is its value.
fn takes_next(arg: &Arg) -> bool {
    arg.get_action().takes_values() && !arg.is_require_equals_set()
}

/// Whether it can be typed again.
pub(super) fn is_many(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append | ArgAction::Count)
        || arg.get_num_args().is_some_and(|range| range.max_values() > 1)
}
