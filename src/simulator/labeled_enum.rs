//! Enums whose variants are labels: the same in code, CSV and JSON.

/// Declares an enum whose variants are labels: the same in code, CSV and JSON.
macro_rules! labeled_enum {
    ($(#[doc = $about:literal])+ $name:ident { $($variant:ident = $label:literal, $meaning:literal;)+ }) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        pub enum $name {
            $(#[doc = $meaning] #[serde(rename = $label)] $variant,)+
        }

        impl $name {
            /// Every variant, in order of declaration.
            pub const ALL: &[$name] = &[$($name::$variant,)+];

            /// The label, as the record file and JSON have it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $label,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub(super) use labeled_enum;
