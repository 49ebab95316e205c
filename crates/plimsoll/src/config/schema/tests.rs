//! Writes `docs/configuration.md` and `docs/schema/config-1.json` from the types of the configuration, and holds
//! them to it. `PLIMSOLL_UPDATE_SCHEMA=1` writes them anew.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Map, Value};

use super::{Config, schema};

const UPDATE: &str = "PLIMSOLL_UPDATE_SCHEMA";

const HEAD: &str = "\
# Configuration

<!-- Written from the types of `crates/plimsoll/src/config`: change it there, then run the tests of `plimsoll` with
`PLIMSOLL_UPDATE_SCHEMA=1`. -->

Plimsoll reads one TOML file: `--config FILE`, else the file that `PLIMSOLL_CONFIG` names, else `plimsoll/config.toml` in
the platform's configuration folder (`~/.config` on Linux). All keys may be left out but those that say `needed`, and a key
that means nothing is an error. `plimsoll config check` says whether a file is good and what is then in force; editors
that know JSON Schema take `plimsoll config schema`. Relative paths are relative to the working directory.

- A *time* is a whole number with its unit, or several of them: `30s`, `10m`, `6h`, `1d`, `1h 30m`. A day has 24 hours.
- A *size* is a whole number with its unit: `500MB` (millions of bytes), `4GiB` (2^30 bytes each), `B`, `kB`, `KiB`, `MiB`, `GB`,
  `TB`, `TiB`.
- No secret stands in the file: credentials name the file or the environment variable that holds it.

An air-gapped site, whose feeds are mirrored on one web server:

```toml
offline = true

[feeds.\"osv-*\"]
url = \"https://mirror.example/osv\"

[feeds.alpine-secdb]
url = \"https://mirror.example/alpine\"
mirrors = [\"file:///srv/feeds/alpine\"]
ca = \"/etc/ssl/site.pem\"
credentials = { user = \"scanner\", password_file = \"/run/secrets/mirror\" }

[registries.\"registry.example:5000\"]
```

A registry may send to other hosts for tokens and layers. Offline these have to be named as well, each as a section of
`[registries]`; the error says which.
";

const VARIABLES: &str = "
## Variables of the environment

Keys of `[server]` that are one value can be set by the environment too, which comes before the file. A variable that begins
with `PLIMSOLL_SERVER_` and stands not here is an error. Lists and tables stand in the file.

| variable | key |
|---|---|
";

/// What the comment of a key ends with whose default is not a value.
const LEFT_OUT: &str = " Left out: ";

/// The page.
fn page(schema: &Value) -> String {
    let mut out = HEAD.to_owned();
    section(&mut out, schema, schema, "");
    out.push_str(VARIABLES);
    for variable in super::super::environment::known() {
        let (last, above) = variable.path.split_last().unwrap();
        writeln!(out, "| `{}` | `{last}` in `[{}]` |", variable.name, above.join(".")).unwrap();
    }
    out
}

/// One table of TOML, then those below it.
fn section(out: &mut String, root: &Value, object: &Value, path: &str) {
    let none = Map::new();
    let fields = object["properties"].as_object().unwrap_or(&none);
    let needed =
        |name: &str| object["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
    let title = if path.is_empty() { "Top level".to_owned() } else { format!("`[{path}]`") };
    writeln!(out, "\n## {title}\n\n{}\n", text(object)).unwrap();
    out.push_str("| key | value | if left out | meaning |\n|---|---|---|---|\n");
    for (name, field) in fields {
        let text = text(field);
        let meaning = match text.split_once(LEFT_OUT) {
            Some((meaning, default)) => (meaning, Some(default.trim_end_matches('.'))),
            None => (text.as_str(), None),
        };
        let default = match &field["default"] {
            _ if needed(name) => "needed".to_owned(),
            Value::Null => meaning.1.unwrap_or_default().to_owned(),
            default => format!("`{default}`"),
        };
        writeln!(out, "| `{name}` | {} | {default} | {} |", kind(root, field), meaning.0).unwrap();
    }
    for (name, field) in fields {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let target = target(root, field);
        if target.get("properties").is_some() {
            section(out, root, target, &path);
        } else if target.get("additionalProperties").is_some_and(|more| is_table(root, more)) {
            section(out, root, self::target(root, &target["additionalProperties"]), &format!("{path}.NAME"));
        } else if target.get("items").is_some_and(|items| is_table(root, items)) {
            section(out, root, self::target(root, &target["items"]), &format!("[{path}]"));
        }
    }
}

fn is_table(root: &Value, schema: &Value) -> bool {
    target(root, schema).get("properties").is_some()
}

/// What a reference refers to, else the schema itself.
fn target<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let path = schema["$ref"].as_str().and_then(|path| path.strip_prefix('#'));
    path.map_or(schema, |path| root.pointer(path).unwrap())
}

fn kind(root: &Value, schema: &Value) -> String {
    let schema = target(root, schema);
    match (schema["title"].as_str(), schema["type"].as_str().unwrap_or_default()) {
        (Some(title), _) => title.to_owned(),
        _ if !choices(schema).is_empty() => {
            choices(schema).iter().map(|choice| kind(root, choice)).collect::<Vec<_>>().join(" or ")
        }
        _ if schema["const"].is_string() => format!("`{}`", schema["const"]),
        (None, "string") => "text".to_owned(),
        (None, "boolean") => "`true` or `false`".to_owned(),
        (None, "integer") => "whole number".to_owned(),
        (None, "array") if is_table(root, &schema["items"]) => "tables".to_owned(),
        (None, "array") => format!("list of {}", kind(root, &schema["items"])),
        (None, "object") if schema["additionalProperties"]["type"] == "string" => {
            "a table of texts".to_owned()
        }
        (None, "object") => "a table".to_owned(),
        (None, other) => panic!("a type `{other}` that the page has no word for"),
    }
}

/// What a value may be one of.
fn choices(schema: &Value) -> &[Value] {
    ["oneOf", "anyOf"].iter().find_map(|name| schema[*name].as_array()).map_or(&[], Vec::as_slice)
}

fn text(schema: &Value) -> String {
    let text = schema["description"].as_str().expect("every key and table has a comment");
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// Holds a file of the repository to what it is made of; writes it where that is asked for.
#[track_caller]
pub(crate) fn check(path: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let place = path.display();
    assert!(
        found == wanted,
        "{place} is not what the types say; if the change is meant, run the tests with {UPDATE}=1"
    );
}

#[test]
fn the_documents_are_what_the_types_say() {
    let schema = serde_json::to_value(schema()).unwrap();
    check("docs/schema/config-1.json", &format!("{:#}\n", schema));
    check("docs/configuration.md", &page(&schema));
}

/// The schema means what the parser means: the same keys, and nothing else is let in.
#[test]
fn the_schema_lets_in_what_the_parser_lets_in() {
    let schema = serde_json::to_value(schema()).unwrap();
    let tables = schema["$defs"].as_object().unwrap().values().chain([&schema]);
    for table in tables.filter(|table| table.get("properties").is_some()) {
        assert_eq!(table["additionalProperties"], false, "{table:#}");
    }
    let text = format!("{schema}");
    assert!(!text.contains("null"), "{schema:#}");
    assert!(schema["properties"].get("feed_urls").is_none());
}

#[test]
fn the_example_of_the_page_is_good() {
    let example = HEAD.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    Config::parse(example).unwrap();
}
