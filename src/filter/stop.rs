//! Why the walk over a request ends early.

use crate::policy::RuleId;
use crate::wire::Malformed;

/// Why the walk leaves a message before its end. Four bytes, so that results travel in registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The request is refused.
    Refuse(Fault),
    /// A rule drops the record, or what else holds the text, as a whole.
    Drop(RuleId),
}

/// What is wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Wire(Malformed),
    AmbiguousValue,
    BadId,
    BadIndex,
    InvalidUtf8,
    RepeatedField,
    TooDeep,
    WrongWireType,
}

impl Fault {
    pub const fn reason(self) -> &'static str {
        match self {
            Fault::Wire(malformed) => malformed.reason(),
            Fault::AmbiguousValue => "ambiguous_value",
            Fault::BadId => "bad_id",
            Fault::BadIndex => "bad_index",
            Fault::InvalidUtf8 => "invalid_utf8",
            Fault::RepeatedField => "repeated_field",
            Fault::TooDeep => "too_deep",
            Fault::WrongWireType => "wrong_wire_type",
        }
    }
}

impl From<Fault> for Stop {
    #[cold]
    fn from(fault: Fault) -> Stop {
        Stop::Refuse(fault)
    }
}

impl From<Malformed> for Stop {
    #[cold]
    fn from(malformed: Malformed) -> Stop {
        Stop::Refuse(Fault::Wire(malformed))
    }
}
