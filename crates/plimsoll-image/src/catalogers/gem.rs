//! Installed Ruby gems, by the specifications that RubyGems writes beside them.
//!
//! A specification is Ruby source, which is not run here. RubyGems generates it in one fixed form
//! (`Gem::Specification#to_ruby`), one assignment of a literal a line, so that reading lines is enough:
//! `s.name = "rake".freeze`, in older ones `s.name = %q{rake}`. Of a field that is assigned twice the first
//! counts. Whatever is no literal (`s.version = Rake::VERSION`, in hand-written files) is not evaluated: name
//! and version are then taken from the file's name, `rake-13.0.6.gemspec`, which RubyGems makes of the two.
//! The platform of a gem with native code becomes the architecture.

use plimsoll_core::ecosystems;

use super::lenient::{self, Licenses};
use super::{Cataloger, Entry, File, Found, FoundPackage, Problem};

pub(super) static CATALOGER: Cataloger = Cataloger {
    name: "gem",
    title: "Ruby gems",
    version: 1,
    reads: &["**/specifications/**/*.gemspec"],
    wants,
    read,
};

/// Largest specification, in bytes. A gem's list of files makes the largest reach some 100 KiB.
const BYTES_MAX: u64 = 16 << 20;

fn wants(entry: &Entry<'_>) -> bool {
    entry.path.ends_with(".gemspec")
        && (entry.path.starts_with("specifications/") || entry.path.contains("/specifications/"))
}

fn read(file: &mut File<'_>) -> Found {
    let stem = file.entry.file_name();
    let stem = stem.strip_suffix(".gemspec").unwrap_or(stem);
    let mut found = Found::default();
    let specification = match lenient::read_text(file, BYTES_MAX) {
        Ok(text) => read_specification(&text),
        Err(problem) => return Found::problem(problem),
    };
    let from_file_name = split_file_name(stem);
    let name = specification.name.or_else(|| from_file_name.map(|(name, _)| name.to_owned()));
    let version = specification.version.or_else(|| from_file_name.map(|(_, version)| version.to_owned()));
    match (name, version) {
        (Some(name), Some(version)) => {
            let mut package = FoundPackage::new(&ecosystems::GEM, name, version);
            package.architecture = specification.platform.filter(|platform| platform != "ruby");
            package.licenses = specification.licenses.finish(&mut found);
            found.packages.push(package);
        }
        _ => lenient::add_problem(
            &mut found,
            Problem::unreadable("states no name and version as literals, nor does its file name"),
        ),
    }
    found
}

/// The fields that matter. What is not assigned as a literal is `None`.
#[derive(Default)]
struct Specification {
    name: Option<String>,
    version: Option<String>,
    platform: Option<String>,
    licenses: Licenses,
}

fn read_specification(text: &str) -> Specification {
    let mut specification = Specification::default();
    for line in text.lines() {
        let Some((field, value)) = assignment(line) else { continue };
        let field = match field {
            "name" => &mut specification.name,
            "version" => &mut specification.version,
            "platform" => &mut specification.platform,
            "license" | "licenses" => {
                for_each_literal(value, |license| specification.licenses.add(license));
                continue;
            }
            _ => continue,
        };
        if field.is_none() {
            *field = sole_literal(value).filter(|text| is_plausible(text));
        }
    }
    specification
}

fn is_plausible(text: &str) -> bool {
    !text.is_empty() && text.len() <= lenient::TEXT_BYTES_MAX && !text.contains(char::is_whitespace)
}

/// Splits `s.name = value` into `name` and `value`.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let (target, value) = line.split_once('=')?;
    let (variable, field) = target.trim().split_once('.')?;
    let is_word = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    (!variable.is_empty() && is_word(variable) && is_word(field)).then_some((field, value.trim()))
}

/// The value if it is one string literal, frozen or not, as it is or inside `Gem::Version.new(..)`.
fn sole_literal(value: &str) -> Option<String> {
    let constructors = ["Gem::Version.new", "Gem::Version.create", "Gem::Platform.new"];
    let argument = constructors.iter().find_map(|constructor| value.strip_prefix(constructor));
    let (text, rest) = literal(match argument {
        Some(argument) => argument.trim_start_matches(['(', ' ']),
        None => value,
    })?;
    let rest = rest.strip_prefix(".freeze").unwrap_or(rest);
    let rest = if argument.is_some() { rest.strip_prefix(')').unwrap_or(rest) } else { rest };
    let rest = rest.strip_prefix(".freeze").unwrap_or(rest).trim_start();
    (rest.is_empty() || rest.starts_with(['#', ';'])).then_some(text)
}

/// Hands the string literals of an array, or the only one, to `each`.
fn for_each_literal(value: &str, mut each: impl FnMut(&str)) {
    for open in ["%w[", "%w(", "%w{"] {
        if let Some(words) = value.strip_prefix(open) {
            let words = words.split([']', ')', '}']).next().unwrap_or("");
            return words.split_whitespace().for_each(each);
        }
    }
    let mut rest = value.strip_prefix('[').unwrap_or(value);
    while let Some((text, after)) = literal(rest.trim_start()) {
        each(&text);
        let after = after.strip_prefix(".freeze").unwrap_or(after).trim_start();
        let Some(next) = after.strip_prefix(',') else { break };
        rest = next;
    }
}

/// Reads a string literal; gives its text and what follows it. `None` if there is none or if a part of it
/// is computed.
fn literal(text: &str) -> Option<(String, &str)> {
    let opens = [("\"", '"'), ("'", '\''), ("%q{", '}'), ("%q<", '>'), ("%q(", ')'), ("%q[", ']')];
    let (body, close) =
        opens.iter().find_map(|(open, close)| text.strip_prefix(open).map(|body| (body, *close)))?;
    let mut out = String::new();
    let mut chars = body.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == close => return Some((out, body.get(at + c.len_utf8()..)?)),
            // Names, versions and licences need no other escapes than that of a quote and of the backslash.
            '\\' => out.push(chars.next()?.1),
            '#' if close == '"' && body.get(at..)?.starts_with("#{") => return None,
            c => out.push(c),
        }
    }
    None
}

/// Splits `nokogiri-1.15.4-x86_64-linux` into name and version.
///
/// Each part may have digits and hyphens, so it takes the last part that looks like a version with a dot,
/// else the last that looks like a version at all.
fn split_file_name(stem: &str) -> Option<(&str, &str)> {
    let mut best = None;
    let mut start = 0_usize;
    for part in stem.split('-') {
        if start > 0 && is_version(part) && (part.contains('.') || best.is_none_or(|(_, v)| !has_dot(v))) {
            best = Some((stem.get(..start - 1)?, part));
        }
        start = start.saturating_add(part.len()).saturating_add(1);
    }
    best.filter(|(name, _)| !name.is_empty())
}

fn has_dot(version: &str) -> bool {
    version.contains('.')
}

/// Whether a text is a version: numbers and words joined by dots, a number first (`Gem::Version`).
fn is_version(text: &str) -> bool {
    let mut parts = text.split('.');
    parts.next().is_some_and(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
        && parts.all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_split_before_the_version() {
        for (stem, expected) in [
            ("rake-13.0.6", Some(("rake", "13.0.6"))),
            ("net-http2-0.18.4", Some(("net-http2", "0.18.4"))),
            ("nokogiri-1.15.4-x86_64-linux", Some(("nokogiri", "1.15.4"))),
            ("ffi-1.16.3-universal-darwin-19", Some(("ffi", "1.16.3"))),
            ("rails-7.1.0.rc1", Some(("rails", "7.1.0.rc1"))),
            ("x-2-1.0", Some(("x-2", "1.0"))),
            ("x-2", Some(("x", "2"))),
            ("x-2fa", None),
            ("-1.0", None),
            ("1.0", None),
            ("x-", None),
            ("", None),
        ] {
            assert_eq!(split_file_name(stem), expected, "{stem}");
        }
    }

    #[test]
    fn only_literals_are_values() {
        for (value, expected) in [
            (r#""rake".freeze"#, Some("rake")),
            ("'rake'", Some("rake")),
            ("%q{rake}", Some("rake")),
            ("%q<rake>.freeze", Some("rake")),
            (r#""rake" # the one"#, Some("rake")),
            (r#""a\"b""#, Some("a\"b")),
            (r#"Gem::Version.new("1.2".freeze)"#, Some("1.2")),
            (r#"Gem::Version.new "1.2""#, Some("1.2")),
            (r#"Gem::Platform.new("java")"#, Some("java")),
            ("Gem::Platform::RUBY", None),
            ("Rake::VERSION", None),
            (r##""1.#{minor}""##, None),
            (r#""1." + minor"#, None),
            (r#""1.2".succ"#, None),
            (r#""open"#, None),
            (r#""open\"#, None),
            ("", None),
        ] {
            assert_eq!(sole_literal(value).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn licenses_are_read_from_arrays_and_words() {
        for (value, expected) in [
            (r#"["MIT".freeze, "Ruby".freeze]"#, &["MIT", "Ruby"][..]),
            ("[%q{MIT}]", &["MIT"]),
            ("%w[MIT Ruby]", &["MIT", "Ruby"]),
            (r#""MIT""#, &["MIT"]),
            (r#"["MIT", LICENSE]"#, &["MIT"]),
            ("[]", &[]),
            ("[", &[]),
        ] {
            let mut found = Vec::new();
            for_each_literal(value, |text| found.push(text.to_owned()));
            assert_eq!(found, expected, "{value}");
        }
    }
}
