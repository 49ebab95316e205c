//! The version that a build gave its program through the linker: `-ldflags "-X main.version=v1.2.3"`.
//!
//! Nothing but custom says which variable holds it, and programs also set the versions of their parts this
//! way. So a variable counts only in the main module or in a package of the same owner that is called
//! `version`, and a value only if it is a release: `v1.2.3-5-gabcdef` (`git describe`) comes after `v1.2.3`
//! and would sort before it.

/// Undoes the quotes that Go puts around a setting with blanks (`strconv.Quote`).
pub(super) fn unquote(text: &str) -> String {
    let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return text.trim_matches('`').to_owned();
    };
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('n' | 't' | 'r')) => out.push(' '),
            ('\\', Some(escaped)) => out.push(escaped),
            (plain, _) => out.push(plain),
        }
    }
    out
}

/// The main module's version as the linker flags state it, with Go's leading `v`.
pub(super) fn version_of(main: &str, flags: &str) -> Option<String> {
    assignments(flags)
        .into_iter()
        .filter_map(|(package, variable, value)| {
            let trust = (trust_in_package(main, package)?, trust_in_variable(variable)?);
            Some((trust, release(value)?))
        })
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
        .map(|(_, version)| version)
}

/// Splits the flags into `-X PACKAGE.VARIABLE=VALUE`, of which any part may be quoted.
fn assignments(flags: &str) -> Vec<(&str, &str, &str)> {
    let mut words = words(flags).into_iter();
    let mut found = Vec::new();
    while let Some(word) = words.next() {
        let assignment = match word.strip_prefix("-X").or_else(|| word.strip_prefix("--X")) {
            Some("") => words.next().unwrap_or_default(),
            Some(rest) => unquoted(rest.strip_prefix('=').unwrap_or(rest)),
            None => continue,
        };
        if let Some((name, value)) = assignment.split_once('=')
            && let Some((package, variable)) = name.rsplit_once('.')
        {
            found.push((package, variable, unquoted(value)));
        }
    }
    found
}

/// Splits at blanks outside of quotes.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut quote = None;
    let mut start = 0;
    for (at, c) in text.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '\'' || c == '"' => quote = Some(c),
            None if c.is_whitespace() => {
                words.push(unquoted(&text[start..at]));
                start = at + c.len_utf8();
            }
            None => {}
        }
    }
    words.push(unquoted(&text[start..]));
    words.retain(|word| !word.is_empty());
    words
}

fn unquoted(text: &str) -> &str {
    text.trim_matches(|c| c == '\'' || c == '"')
}

fn trust_in_package(main: &str, package: &str) -> Option<u8> {
    let package_is_in = |module: &str| {
        package.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let owner = without_major(main).rsplit_once('/').map(|(owner, _)| owner);
    if package == "main" || package_is_in(main) || package_is_in(without_major(main)) {
        Some(2)
    } else if package.ends_with("/version") && owner.is_some_and(package_is_in) {
        Some(1)
    } else {
        None
    }
}

/// A module path without the `/v2` of its major version.
fn without_major(module: &str) -> &str {
    match module.rsplit_once("/v") {
        Some((path, major)) if major.bytes().all(|b| b.is_ascii_digit()) => path,
        _ => module,
    }
}

fn trust_in_variable(variable: &str) -> Option<u8> {
    match variable.to_ascii_lowercase().as_str() {
        "version" => Some(2),
        "gitversion" | "appversion" | "buildversion" => Some(1),
        _ => None,
    }
}

/// The value, if it is a release as Go writes one: three numbers, and what a pre-release or a build adds.
fn release(value: &str) -> Option<String> {
    let bare = value.strip_prefix('v').unwrap_or(value);
    let core_end = bare.find(['-', '+']).unwrap_or(bare.len());
    let (core, suffix) = bare.split_at(core_end);
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let is_release = core.split('.').count() == 3 && core.split('.').all(is_number);
    let is_safe = suffix.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+'));
    let names_pre_release =
        ["-rc", "-alpha", "-beta", "-pre", "+"].iter().any(|word| suffix.starts_with(word));
    let is_described = suffix.contains("-g") || suffix.ends_with("-dirty");
    (is_release && is_safe && (suffix.is_empty() || names_pre_release) && !is_described)
        .then(|| format!("v{bare}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_from_the_linker_flags() {
        for (main, flags, expected) in [
            ("a.b/c", "-s -w -X main.version=v1.2.3", Some("v1.2.3")),
            ("a.b/c", "-X=main.Version=1.2.3", Some("v1.2.3")),
            ("a.b/c", "-s '-X main.version=1.2.3-rc.1' -w", None),
            ("a.b/c", "-X 'main.version=1.2.3-rc.1' -w", Some("v1.2.3-rc.1")),
            ("a.b/c", "-X \"a.b/c/internal.Version=2.0.0+k3s1\"", Some("v2.0.0+k3s1")),
            ("a.b/c/v2", "-X a.b/c/v2/cmd.version=v2.1.0", Some("v2.1.0")),
            ("k8s.io/kubernetes", "-X k8s.io/component-base/version.gitVersion=v1.30.1", Some("v1.30.1")),
            ("a.b/c", "-X k8s.io/component-base/version.gitVersion=v1.30.1", None),
            ("a.b/c", "-X k8s.io/x/version.gitVersion=v1.30.1 -X main.version=v0.4.0", Some("v0.4.0")),
            ("a.b/c", "-X main.gitVersion=v1.0.0 -X main.version=v2.0.0", Some("v2.0.0")),
            ("a.b/c", "-X main.goVersion=1.22.3", None),
            ("a.b/c", "-X main.version=v1.2.3-5-g0123abc", None),
            ("a.b/c", "-X main.version=v1.2.3-dirty", None),
            ("a.b/c", "-X main.version=dev", None),
            ("a.b/c", "-X main.version=v1.2", None),
            ("a.b/c", "-X", None),
            ("a.b/c", "", None),
        ] {
            assert_eq!(version_of(main, flags).as_deref(), expected, "{flags}");
        }
    }

    #[test]
    fn settings_are_unquoted() {
        assert_eq!(unquote(r#""-X \"a.b=c d\" \\ \n""#), r#"-X "a.b=c d" \  "#);
        assert_eq!(unquote("-s"), "-s");
    }
}
