//! The JSON schema of the configuration, for editors and for the reference page.
//!
//! `docs/schema/config-1.json` is what [`schema`] makes of the types, their comments included.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform as _};
use serde_json::Value;

use super::Config;

/// The schema (JSON Schema 2020-12).
pub(crate) fn schema() -> Schema {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Config>();
    schema.insert("title".to_owned(), "Plimsoll's configuration, version 1".into());
    RecursiveTransform(without_null).transform(&mut schema);
    schema
}

/// TOML has no null: a key that may be left out is left out.
fn without_null(schema: &mut Schema) {
    let Some(fields) = schema.as_object_mut() else { return };
    // Of a table that may be left out the keys say what then holds.
    if fields.get("default").is_some_and(|default| default.is_null() || default.is_object()) {
        fields.remove("default");
    }
    if let Some(Value::Array(types)) = fields.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            fields.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(mut choices)) = fields.remove("anyOf") {
        choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
        match choices.as_mut_slice() {
            [Value::Object(only)] => fields.append(only),
            _ => drop(fields.insert("anyOf".to_owned(), Value::Array(choices))),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
