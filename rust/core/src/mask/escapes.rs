//! Reads what stands for a character in another notation: `%40`, `&#64;`, `&commat;`, `\u0040`, `\x40`, `\n`.

/// A text with its escapes read, and for each byte where it stood; at the end the length of what was read.
pub(super) struct Read {
    pub text: String,
    pub origins: Vec<u32>,
}

/// Names of HTML's character references for what personal data and secrets are written with.
const NAMED: [(&str, char); 26] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", ' '),
    ("commat", '@'),
    ("period", '.'),
    ("colon", ':'),
    ("comma", ','),
    ("semi", ';'),
    ("sol", '/'),
    ("bsol", '\\'),
    ("lowbar", '_'),
    ("hyphen", '-'),
    ("dash", '-'),
    ("minus", '-'),
    ("plus", '+'),
    ("equals", '='),
    ("num", '#'),
    ("percnt", '%'),
    ("dollar", '$'),
    ("lpar", '('),
    ("rpar", ')'),
    ("shy", '\u{AD}'),
    ("zwnj", '\u{200C}'),
];
const LONGEST_REFERENCE: usize = 12;

/// Reads the escapes of a text once; `None` where it has none.
pub(super) fn read(text: &str) -> Option<Read> {
    let bytes = text.as_bytes();
    let mut at = memchr::memchr3(b'%', b'&', b'\\', bytes)?;
    let mut read = Read { text: String::new(), origins: Vec::new() };
    let mut copied = 0;
    while let Some(rest) = bytes.get(at..) {
        if let Some((character, length)) = escape(rest) {
            read.copy(text, copied, at);
            read.push(character, at);
            at += length;
            copied = at;
        } else {
            at += 1;
        }
        match memchr::memchr3(b'%', b'&', b'\\', bytes.get(at..).unwrap_or_default()) {
            Some(next) => at += next,
            None => break,
        }
    }
    if copied == 0 && read.text.is_empty() {
        return None;
    }
    read.copy(text, copied, bytes.len());
    read.origins.push(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    Some(read)
}

impl Read {
    fn copy(&mut self, text: &str, from: usize, to: usize) {
        self.text.push_str(text.get(from..to).unwrap_or_default());
        self.origins.extend((from..to).map(|at| u32::try_from(at).unwrap_or(u32::MAX)));
    }

    fn push(&mut self, character: char, at: usize) {
        self.text.push(character);
        self.origins.resize(self.text.len(), u32::try_from(at).unwrap_or(u32::MAX));
    }
}

/// The character that the escape at the start of `bytes` stands for, and the escape's length.
fn escape(bytes: &[u8]) -> Option<(char, usize)> {
    match bytes.first()? {
        b'%' => percent(bytes),
        b'&' => reference(bytes),
        _ => backslash(bytes),
    }
}

/// The bytes of one character, each as `%XX`.
fn percent(bytes: &[u8]) -> Option<(char, usize)> {
    let first = hex(bytes.get(1..3)?)?;
    let length = match first {
        0..0x80 => 1,
        0xC2..0xE0 => 2,
        0xE0..0xF0 => 3,
        0xF0..0xF5 => 4,
        _ => return None,
    };
    let mut encoded = [0; 4];
    for (slot, escape) in encoded.iter_mut().zip(bytes.chunks(3)).take(length) {
        let [b'%', digits @ ..] = escape else { return None };
        *slot = u8::try_from(hex(digits)?).ok()?;
    }
    let character = std::str::from_utf8(encoded.get(..length)?).ok()?.chars().next()?;
    Some((character, 3 * length))
}

fn reference(bytes: &[u8]) -> Option<(char, usize)> {
    let inside = bytes.get(1..)?;
    let end = inside.iter().take(LONGEST_REFERENCE).position(|byte| *byte == b';')?;
    let name = std::str::from_utf8(inside.get(..end)?).ok()?;
    let character = match name.strip_prefix('#') {
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(digits) => char::from_u32(u32::from_str_radix(digits, 16).ok()?)?,
            None => char::from_u32(number.parse().ok()?)?,
        },
        None => NAMED.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?.1,
    };
    Some((character, end + 2))
}

fn backslash(bytes: &[u8]) -> Option<(char, usize)> {
    match bytes.get(1)? {
        b'n' => Some(('\n', 2)),
        b'r' => Some(('\r', 2)),
        b't' => Some(('\t', 2)),
        byte @ (b'"' | b'\'' | b'/' | b'\\') => Some((char::from(*byte), 2)),
        b'x' => Some((char::from_u32(hex(bytes.get(2..4)?)?)?, 4)),
        b'u' if bytes.get(2) == Some(&b'{') => {
            let end = bytes.iter().take(LONGEST_REFERENCE).position(|byte| *byte == b'}')?;
            Some((char::from_u32(hex(bytes.get(3..end)?)?)?, end + 1))
        }
        b'u' => utf16(bytes),
        _ => None,
    }
}

/// `\uXXXX`, or a pair of them.
fn utf16(bytes: &[u8]) -> Option<(char, usize)> {
    let first = u16::try_from(hex(bytes.get(2..6)?)?).ok()?;
    if let Some(Ok(character)) = char::decode_utf16([first]).next() {
        return Some((character, 6));
    }
    let second = bytes.get(6..12)?.strip_prefix(b"\\u").and_then(hex)?;
    let pair = [first, u16::try_from(second).ok()?];
    char::decode_utf16(pair).next()?.ok().map(|character| (character, 12))
}

fn hex(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
