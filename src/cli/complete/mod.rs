//! `mscomm complete`: what the completion scripts of shells ask. The scripts in `completions/` know nothing of commands; what
//! can stand at the cursor is said here, from the command tree, and from the server that the line names.
//!
//! Tab changes nothing: nobody is asked for a secret, nothing is run or made, and who does not answer at once is not waited for.

mod ask;
mod kind;
mod line;
mod offer;
mod place;
mod print;

use std::time::Duration;

use self::kind::Question;
use self::line::{Line, Word};
use self::offer::Offer;
use self::place::{Expects, Place, Trees};
use super::Global;
use crate::config::ConfigSource;
use crate::context::Context;

/// How long a server may take, from the first name looked up to the last byte.
pub(crate) const LIMIT: Duration = Duration::from_millis(280);

/// When nothing is waited for any more, whatever it is: a file may say nothing for ever.
pub(crate) const LATEST: Duration = Duration::from_secs(1);

/// What a script says.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell that asks
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
    /// The command line up to the cursor, as it was typed
    #[arg(value_name = "LINE", allow_hyphen_values = true)]
    line: String,
    /// The characters at which the shell breaks words
    #[arg(value_name = "CHARACTERS", default_value = "", allow_hyphen_values = true)]
    breaks: String,
    /// What stands behind the cursor
    #[arg(value_name = "LINE", default_value = "", allow_hyphen_values = true)]
    behind: String,
}

/// The shells that ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Shell {
    /// bash
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
}

/// A line that is read.
pub(crate) struct Completion<'t> {
    shell: Shell,
    line: Line,
    place: Option<Place<'t>>,
    offer: Offer,
}

/// What the line is read by.
#[derive(Default)]
pub(crate) struct Tree(Trees);

impl<'t> Completion<'t> {
    /// Reads the line, and says what is known without asking anybody. `source` gives the configuration for the flags that were
    /// typed.
    pub(crate) fn new(args: &Args, tree: &'t Tree, source: impl FnOnce(&Global) -> ConfigSource) -> Completion<'t> {
        let mut line = Line::read(&args.line, &args.breaks);
        if line.is_murky {
            return Completion { shell: args.shell, line, place: None, offer: Offer::default() };
        }
        // A flag behind the cursor, or a variable, may name another server.
        let is_elsewhere = line.sets_variables || !args.behind.trim().is_empty();
        let mut place = Place::find(&line, &tree.0);
        let mut is_later = is_elsewhere;
        while let Some(Place { expects: Expects::Command(from), .. }) = place
            && line.words.get(from).is_some_and(Word::is_ours)
        {
            // The servers that it will have are not there yet.
            is_later = true;
            line.words.drain(..from);
            place = Place::find(&line, &tree.0);
        }
        let mut offer = Offer::default();
        if line.is_redirected {
            offer.left = Some(offer::Left::Files);
        } else if let Some(place) = &place {
            offer = offer::offer(place, &line.current.text, &tree.0, &source(&ask::global(place)));
        }
        let place = place.filter(|_| !line.is_redirected && !is_later);
        Completion { shell: args.shell, line, place, offer }
    }

    /// What a server is to be asked, and the flags that say which.
    pub(crate) fn question(&self) -> Option<(Asked, Global)> {
        let place = self.place.as_ref().filter(|place| !ask::is_unknown(place))?;
        let question = ask::question(place)?;
        let flags_alone = self.line.current.text.starts_with('-') && !matches!(place.expects, Expects::Value(..));
        (!flags_alone).then(|| {
            (Asked(question), Global { timeout: Some(LIMIT), connect_timeout: Some(LIMIT), ..ask::global(place) })
        })
    }

    /// Asks, and takes what comes in time.
    pub(crate) async fn ask(&mut self, asked: Asked, cx: &Context) {
        let Some(place) = &self.place else { return };
        let mut asking = Box::pin(ask::ask(place, asked.0, &self.line.current, cx));
        match tokio::time::timeout(LIMIT, &mut asking).await {
            Ok(Ok(found)) => self.offer.candidates.extend(found),
            // Why not, is not for now.
            Ok(Err(_)) => {}
            // Connections have their goodbyes, and the person waits.
            Err(_) => std::mem::forget(asking),
        }
    }

    /// What the script gets.
    pub(crate) fn answer(self) -> String {
        print::answer(self.shell, &self.line, self.offer)
    }
}

/// A question for a server.
pub(crate) struct Asked(Question);
