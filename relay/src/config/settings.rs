//! The macro that declares the settings, and what it writes down about each.

/// One setting, for the sample file and the schema.
pub(super) struct Setting {
    pub(super) name: &'static str,
    /// Its documentation, a line each.
    pub(super) about: &'static [&'static str],
    /// Its default as TOML.
    pub(super) default: toml::Value,
}

/// Declares the config struct together with its defaults and the list of its settings.
macro_rules! settings {
    (
        $(#[$about:meta])*
        pub struct $name:ident {
            $( $(#[doc = $doc:literal])+ $field:ident: $kind:ty = $default:expr, )+
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $( $(#[doc = $doc])+ pub $field: $kind, )+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $field: $default, )+ }
            }
        }

        impl $name {
            fn settings() -> Vec<$crate::config::settings::Setting> {
                let defaults = Self::default();
                vec![ $( $crate::config::settings::Setting {
                    name: stringify!($field),
                    about: &[$($doc),+],
                    default: toml::Value::try_from(&defaults.$field).expect("each setting is a TOML value"),
                }, )+ ]
            }
        }
    };
}
pub(super) use settings;
