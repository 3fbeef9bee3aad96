//! A compiled program.

use std::cell::RefCell;

use jaq_core::load::{Arena, File, Loader};
use jaq_core::native::{Fun, v};
use jaq_core::{Compiler, Ctx, DataT, Exn, Filter, Lut, ValT, Vars, compile, data};
use jaq_json::{Val, read};

use super::fault::Fault;
use super::view::is_shallow;
use crate::error::Result;

/// How much of an error of a program, or of what it tells, is shown.
const SHOWN: usize = 400;

/// How much it may tell at once.
const TOLD: usize = 1000;

/// What native functions are given beside their input.
pub(super) struct Data;

/// See [`Data`].
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    lut: &'a Lut<Data>,
    told: &'a RefCell<Vec<String>>,
}

impl DataT for Data {
    type V<'a> = Val;
    type Data<'a> = Given<'a>;
}

impl<'a> data::HasLut<'a, Data> for Given<'a> {
    fn lut(&self) -> &'a Lut<Data> {
        self.lut
    }
}

/// A compiled program.
pub(super) struct Program {
    /// The flag that it was given by.
    flag: &'static str,
    filter: Filter<Data>,
    vars: Vars<Val>,
    /// What it told by `debug` and `stderr`, and nobody was told of yet.
    told: RefCell<Vec<String>>,
}

impl Program {
    /// Compiles it.
    ///
    /// # Errors
    /// `Kind::Usage`, with the place.
    pub(super) fn compile(flag: &'static str, text: &str) -> Result<Program> {
        let defs = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
        // Of two with a name, the first one counts.
        let own = telling().into_iter().chain([reading()]);
        let funs = own.chain(jaq_core::funs()).chain(jaq_std::funs()).chain(jaq_json::funs());
        let arena = Arena::default();
        let modules = Loader::new(defs)
            .load(&arena, File { code: text, path: () })
            .map_err(|errors| Fault::of_loading(text, errors).error(flag, text))?;
        let filter: compile::Filter<_> = Compiler::default()
            .with_funs(funs)
            .with_global_vars(["$ENV"])
            .compile(modules)
            .map_err(|errors| Fault::of_compiling(text, errors).error(flag, text))?;
        // Whoever does not ask for it need not have it.
        let environment = if text.contains("$ENV") { environment() } else { Val::Null };
        Ok(Program { flag, filter, vars: Vars::new([environment]), told: RefCell::default() })
    }

    /// What it gives for an input, one after the other. An error ends it: a sentence.
    pub(super) fn run(&self, input: Val) -> impl Iterator<Item = Result<Val, String>> + '_ {
        let given = Given { lut: &self.filter.lut, told: &self.told };
        let context = Ctx::<Data>::new(given, self.vars.clone());
        self.filter.id.run((context, input)).map(|out| out.map_err(|exception| self.why(exception)))
    }

    /// Whether anything that it gives is neither false nor null.
    ///
    /// # Errors
    /// As [`Program::run`], of what comes before.
    pub(super) fn passes(&self, input: Val) -> Result<bool, String> {
        for given in self.run(input) {
            if given?.as_bool() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn why(&self, exception: Exn<'_, Val>) -> String {
        let mut why = match exception.get_err() {
            Ok(error) => shortened(match error.into_val() {
                Val::TStr(text) => String::from_utf8_lossy(&text).into_owned(),
                other => other.to_string(),
            }),
            Err(_) => "it halts".to_owned(),
        };
        if why.starts_with("cannot use null as ") {
            why.push_str(
                "; to assign below what is not there, make it first, as .headers = (.headers // {}) + {retry: 1}",
            );
        }
        self.fault(&why)
    }

    /// An error that is about what it gave.
    pub(super) fn fault(&self, why: &str) -> String {
        format!("{}: {why}", self.flag)
    }

    /// What it told since it was asked last.
    pub(super) fn told(&self) -> Vec<String> {
        self.told.borrow_mut().drain(..).map(|text| self.fault(&text)).collect()
    }
}

/// A text that is not too long to be read.
pub(super) fn shortened(mut text: String) -> String {
    if let Some((at, _)) = text.char_indices().nth(SHOWN) {
        text.truncate(at);
        text.push('…');
    }
    text
}

/// `$ENV`.
fn environment() -> Val {
    let text = |text: std::ffi::OsString| Val::from(text.to_string_lossy().into_owned());
    Val::obj(std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect())
}

/// What jq writes to standard error, which is not the program's own here.
fn telling() -> [Fun<Data>; 2] {
    fn tell<'a>(cv: (Ctx<'a, Data>, Val)) -> jaq_core::ValXs<'a, Val> {
        let (context, value) = cv;
        let mut told = context.data().told.borrow_mut();
        if told.len() < TOLD {
            told.push(shortened(value.to_string()));
        }
        drop(told);
        Box::new(std::iter::empty())
    }
    ["debug_empty", "stderr_empty"].map(|name| (name, v(0), jaq_core::Native::<Data>::new(tell)))
}

/// `fromjson`: jaq's own follows a text to any depth, which a message could have the process end by.
fn reading() -> Fun<Data> {
    fn from_json<'a>(cv: (Ctx<'a, Data>, Val)) -> jaq_core::ValXs<'a, Val> {
        let fault = |why: String| Exn::from(jaq_core::Error::str(why));
        let given = match &cv.1 {
            Val::TStr(text) if !is_shallow(text) => {
                vec![Err(fault("fromjson: it nests too deep, or is no JSON".to_owned()))]
            }
            Val::TStr(text) => {
                let read = |value: Result<Val, _>| value.map_err(|e: read::Error| fault(format!("fromjson: {e}")));
                read::parse_many(text).map(read).collect()
            }
            other => vec![Err(fault(format!("fromjson: {} is no string", shortened(other.to_string()))))],
        };
        Box::new(given.into_iter())
    }
    ("fromjson", v(0), jaq_core::Native::<Data>::new(from_json))
}
