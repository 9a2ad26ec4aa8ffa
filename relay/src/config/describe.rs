//! The config as text: the sample file, the schema, and a file with what an operator chose.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::settings::Setting;
use super::{Config, ENVIRONMENT_PREFIX};

impl Config {
    /// A file with every setting, its documentation and its default, commented out.
    pub fn sample() -> String {
        Self::file(&[])
    }

    /// The sample with the settings of `chosen` in force, by name and TOML value.
    pub fn file(chosen: &[(&str, toml::Value)]) -> String {
        let mut text = heading();
        for setting in Self::settings() {
            let value = chosen.iter().find(|(name, _)| *name == setting.name).map(|(_, value)| value);
            describe(&mut text, &setting, value);
        }
        text
    }

    /// A JSON Schema of the file.
    pub fn schema() -> Value {
        let properties =
            Self::settings().into_iter().map(|setting| (setting.name.to_owned(), property(&setting)));
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "relay.toml",
            "type": "object",
            "additionalProperties": false,
            "properties": properties.collect::<serde_json::Map<_, _>>(),
        })
    }
}

fn heading() -> String {
    format!(
        "# The configuration of poterne-relay. A line without # is in force, the others show the defaults.\n\
         # The environment wins over this file: {ENVIRONMENT_PREFIX} and the name of a setting in capitals.\n"
    )
}

fn describe(text: &mut String, setting: &Setting, chosen: Option<&toml::Value>) {
    text.push('\n');
    for line in setting.about {
        writeln!(text, "#{line}").expect("writing to a String can't fail");
    }
    match chosen {
        Some(value) => writeln!(text, "{} = {value}", setting.name),
        None => writeln!(text, "# {} = {}", setting.name, setting.default),
    }
    .expect("writing to a String can't fail");
}

fn property(setting: &Setting) -> Value {
    let kind = match setting.default {
        toml::Value::Boolean(_) => "boolean",
        toml::Value::Integer(_) => "integer",
        _ => "string",
    };
    let about = setting.about.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
    json!({"type": kind, "default": setting.default, "description": about})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_with_every_line_in_force_is_the_default_config() {
        let in_force: String = Config::sample()
            .lines()
            .filter_map(|line| line.strip_prefix("# ").filter(|rest| is_assignment(rest)))
            .map(|line| format!("{line}\n"))
            .collect();
        assert_eq!(toml::from_str::<Config>(&in_force).unwrap(), Config::default());
        assert_eq!(in_force.lines().count(), Config::settings().len());
    }

    /// `name = value`, as opposed to a sentence.
    fn is_assignment(line: &str) -> bool {
        let name = line.split(" = ").next().unwrap_or_default();
        name.len() < line.len() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
    }

    #[test]
    fn the_sample_that_is_shipped_is_this_one() {
        let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/relay.sample.toml");
        assert_eq!(
            std::fs::read_to_string(shipped).unwrap(),
            Config::sample(),
            "write it anew with `cargo run --bin poterne-relay config sample > deploy/relay.sample.toml`"
        );
    }

    #[test]
    fn the_sample_as_it_is_changes_nothing() {
        assert_eq!(toml::from_str::<Config>(&Config::sample()).unwrap(), Config::default());
    }

    #[test]
    fn a_chosen_setting_is_in_force() {
        let text = Config::file(&[("operator_id", toml::Value::Integer(7))]);
        assert_eq!(toml::from_str::<Config>(&text).unwrap(), Config { operator_id: 7, ..Config::default() });
    }

    #[test]
    fn the_schema_names_every_setting_with_its_type() {
        let schema = Config::schema();
        assert_eq!(schema["properties"].as_object().unwrap().len(), Config::settings().len());
        assert_eq!(schema["properties"]["permits"]["type"], "boolean");
        assert_eq!(schema["additionalProperties"], false);
    }
}
