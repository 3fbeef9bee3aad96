//! A command line as a shell has it while it is typed: quotes may be open, and what a shell would put in place of
//! something is not known.

/// A word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Word {
    /// What it says, without its quotes.
    pub text: String,
    /// The quote that is open at its end.
    pub quote: Option<char>,
    /// How much of the text the shell does not take for the word that it completes: what stands before the open quote, or up
    /// to a character at which it breaks words.
    pub fixed: usize,
    /// The shell puts something in place of a part of it.
    pub is_expanded: bool,
    /// Only the shell knows where it ends.
    is_murky: bool,
}

/// A line up to the cursor.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    /// The words of the command before the one at the cursor, its name first.
    pub words: Vec<Word>,
    /// The word at the cursor, which may be empty.
    pub current: Word,
    /// That word names a file for `<` or `>`.
    pub is_redirected: bool,
    /// There is something in it that only the shell can read, so that nobody else knows where its words end.
    pub is_murky: bool,
    /// Variables are set for the command alone.
    pub sets_variables: bool,
}

impl Line {
    /// Reads a line; `breaks` are the characters at which the shell breaks words although no space is there.
    pub(super) fn read(line: &str, breaks: &str) -> Line {
        let mut read = Line::default();
        let mut word: Option<Word> = None;
        let mut chars = line.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                ' ' | '\t' | '\n' => read.end(&mut word),
                '|' | ';' | '&' => (read, word) = (Line { is_murky: read.is_murky, ..Line::default() }, None),
                '(' | ')' | '`' => read.is_murky = true,
                '<' | '>' => {
                    // A number before it is that of a stream.
                    if word.as_ref().is_some_and(|word| word.text.bytes().all(|b| b.is_ascii_digit())) {
                        word = None;
                    }
                    read.end(&mut word);
                    while chars.next_if(|c| matches!(c, '<' | '>' | '&' | '|')).is_some() {}
                    read.is_redirected = true;
                }
                _ => word.get_or_insert_default().take(c, &mut chars, breaks),
            }
        }
        read.current = word.unwrap_or_default();
        // Assignments may stand before a command.
        let is_assignment = |word: &Word| {
            let name = word.text.split_once('=').map(|(name, _)| name);
            name.is_some_and(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
        };
        let begin = read.words.iter().position(|word| !is_assignment(word)).unwrap_or(read.words.len());
        read.sets_variables = begin > 0;
        read.words.drain(..begin);
        let all = read.words.iter().chain([&read.current]);
        read.is_murky |= all.fold(false, |any, word| any | word.is_murky);
        read
    }

    /// A space was typed, and that ends a word if one was begun.
    fn end(&mut self, word: &mut Option<Word>) {
        if let Some(word) = word.take()
            && !std::mem::take(&mut self.is_redirected)
        {
            self.words.push(word);
        }
    }
}

impl Word {
    /// It calls this program.
    pub(super) fn is_ours(&self) -> bool {
        self.text.rsplit('/').next() == Some("mscomm")
    }

    /// Takes a character that is no space, with those behind it that belong to it.
    fn take(&mut self, c: char, chars: &mut std::iter::Peekable<std::str::Chars<'_>>, breaks: &str) {
        match c {
            '\\' => match chars.next() {
                Some('\n') | None => {}
                Some(c) => self.text.push(c),
            },
            '\'' | '"' => self.take_quoted(c, chars),
            '$' if matches!(chars.peek(), Some('\'' | '"' | '(' | '{')) => {
                (self.is_expanded, self.is_murky) = (true, true)
            }
            _ => {
                self.is_expanded |= matches!(c, '$' | '`' | '*' | '?' | '[');
                if breaks.contains(c) {
                    // Of these readline takes the character itself into the word (its special prefixes).
                    self.fixed = self.text.len() + usize::from(c != '@');
                }
                self.text.push(c);
            }
        }
    }

    fn take_quoted(&mut self, quote: char, chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
        let before = self.text.len();
        while let Some(c) = chars.next() {
            match c {
                _ if c == quote => return,
                '\\' if quote == '"' => match chars.next() {
                    Some(c @ ('"' | '\\' | '$' | '`')) => self.text.push(c),
                    Some('\n') | None => {}
                    Some(c) => self.text.extend(['\\', c]),
                },
                _ => {
                    self.is_expanded |= quote == '"' && matches!(c, '$' | '`');
                    let opens = c == '$' && matches!(chars.peek(), Some('(' | '{'));
                    self.is_murky |= quote == '"' && (c == '`' || opens);
                    self.text.push(c);
                }
            }
        }
        (self.quote, self.fixed) = (Some(quote), before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> (Vec<String>, Word) {
        let Line { words, current, .. } = Line::read(line, "=:@");
        (words.into_iter().map(|word| word.text).collect(), current)
    }

    #[test]
    fn words_and_the_one_at_the_cursor() {
        for (line, words, current) in [
            ("mscomm ", &["mscomm"][..], ""),
            ("mscomm kafka ta", &["mscomm", "kafka"], "ta"),
            ("mscomm -d 'a b' x\\ y", &["mscomm", "-d", "a b"], "x y"),
            ("mscomm \"a\\\"b\\n\" ", &["mscomm", "a\"b\\n"], ""),
            ("echo x | mscomm gr", &["mscomm"], "gr"),
            ("a && mscomm gr", &["mscomm"], "gr"),
            ("A=1 B_2= mscomm gr", &["mscomm"], "gr"),
            ("mscomm 2>/dev/null <in gr", &["mscomm"], "gr"),
            ("mscomm a2>&1 gr", &["mscomm", "a2"], "gr"),
            ("mscomm '' ", &["mscomm", ""], ""),
        ] {
            let (found, at) = read(line);
            assert_eq!((found, at.text.as_str()), (words.iter().map(|w| (*w).to_owned()).collect(), current), "{line}");
        }
        assert!(Line::read("mscomm x > fi", "").is_redirected);
        assert!(!Line::read("mscomm x > file ", "").is_redirected);
    }

    #[test]
    fn what_is_open_and_what_is_fixed() {
        for (line, text, quote, fixed) in [
            ("m '{\"na", "{\"na", Some('\''), 0),
            ("m --data='{\"na", "--data={\"na", Some('\''), 7),
            ("m \"a b", "a b", Some('"'), 0),
            ("m --output=js", "--output=js", None, 9),
            ("m --out\\=js", "--out=js", None, 0),
            ("m x@fi", "x@fi", None, 1),
        ] {
            let (_, word) = read(line);
            assert_eq!((word.text.as_str(), word.quote, word.fixed), (text, quote, fixed), "{line}");
        }
    }

    #[test]
    fn what_a_shell_would_put_there_is_not_known() {
        for (line, is_expanded) in
            [("m $A", true), ("m \"$(b)\"", true), ("m '$A'", false), ("m $'a'", true), ("m a", false)]
        {
            assert_eq!(read(line).1.is_expanded, is_expanded, "{line}");
        }
    }

    #[test]
    fn what_only_the_shell_can_read() {
        for line in
            ["m $'a\\' ", "m $(a) b", "m `a` b", "m \"$(a)\" b", "m \"${a}\" b", "m ${a} b", "m <(a) b", "m (a) b"]
        {
            assert!(Line::read(line, "").is_murky, "{line}");
        }
        for line in ["m '$(a)' b", "m '`a`' b", "m $A b", "m \"$A\" b", "m '(.a)'"] {
            assert!(!Line::read(line, "").is_murky, "{line}");
        }
        assert!(Line::read("A=1 m a", "").sets_variables && !Line::read("m A=1", "").sets_variables);
    }
}
