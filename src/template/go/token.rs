//! What the lexer gives the parser.

use super::ast::Pos;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The lexer can't go on; the text says why.
    Error,
    /// End of the template.
    Eof,
    /// Text outside actions.
    Text,
    /// The left delimiter.
    Left,
    /// The right delimiter.
    Right,
    /// White space inside an action.
    Space,
    /// `(`
    LeftParen,
    /// `)`
    RightParen,
    /// `|`
    Pipe,
    /// `:=`
    Declare,
    /// `=`
    Assign,
    /// Another printable ASCII character, for instance `,`.
    Char,
    /// `true`, `false`.
    Bool,
    /// `'c'`
    CharConstant,
    /// A number.
    Number,
    /// `"…"`
    String,
    /// `` `…` ``
    RawString,
    /// `.name`
    Field,
    /// `$name`
    Variable,
    /// A word that is no keyword.
    Identifier,
    /// `.`
    Dot,
    /// `nil`
    Nil,
    /// A keyword that starts or ends an action.
    Keyword,
}

/// A token: where it starts and what it says.
#[derive(Clone, Debug)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Where it starts.
    pub pos: Pos,
    /// Its text, or the words of an error.
    pub text: String,
}

impl Token {
    /// Whether this is that keyword.
    pub fn is_keyword(&self, word: &str) -> bool {
        self.kind == Kind::Keyword && self.text == word
    }
}
