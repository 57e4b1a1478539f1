//! Random requests, out of the published descriptors, and an encoder that writes them as odd senders might.

use prost_reflect::{
    Cardinality, DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage, Value,
};

use privet::otlp::Signal;

/// SplitMix64: the same bytes from the same seed, everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

/// What no output may hold: the base policy hides each of them wherever it stands.
pub const DENIED: [&str; 5] = [
    "203.0.113.77",
    "2001:db8:85a3::8a2e:370:7334",
    "alice.winter@corp.example",
    "web-1.prod.corp.example",
    "db-master.corp.example",
];

const HARMLESS: [&str; 8] = ["", "checkout", "/login", "Größe: 12 µs", "a b c", "{\"n\": 1}", "INFO", "x"];

const KEY_INDEX: &str = "opentelemetry.proto.common.v1.KeyValue.key_strindex";
const STRING_INDEX: &str = "opentelemetry.proto.common.v1.AnyValue.string_value_strindex";

pub fn descriptors() -> DescriptorPool {
    DescriptorPool::decode(opentelemetry_proto::DESCRIPTORS).expect("the crate's descriptors decode")
}

pub fn request(pool: &DescriptorPool, signal: Signal) -> MessageDescriptor {
    pool.get_message_by_name(signal.request().name).expect("the schema's request is in the descriptors")
}

/// A valid message of that shape. `sparse`: once in how many fields one is left out; 0 sets all.
pub fn message(random: &mut Random, shape: &MessageDescriptor, sparse: usize, depth: usize) -> DynamicMessage {
    let mut message = DynamicMessage::new(shape.clone());
    let mut fields: Vec<FieldDescriptor> = shape.fields().filter(|field| field.containing_oneof().is_none()).collect();
    for oneof in shape.oneofs() {
        let members: Vec<FieldDescriptor> = oneof.fields().filter(|field| depth < 9 || is_scalar(field)).collect();
        fields.extend(members.get(random.below(members.len().max(1))).cloned());
    }
    for field in fields {
        // These two are for profiles only, instead of a text and not beside it.
        let index = matches!(field.full_name(), KEY_INDEX | STRING_INDEX);
        if index || sparse > 0 && random.once_in(sparse) {
            continue;
        }
        let value = if field.is_list() {
            let most = if field.name().ends_with("_table") { 4 } else { 1 + random.below(3) };
            Value::List((0..most).map(|_| value(random, &field, sparse, depth)).collect())
        } else {
            value(random, &field, sparse, depth)
        };
        message.set_field(&field, value);
    }
    message
}

/// Members of a oneof may not: parsers merge the pieces, or take the last.
fn may_come_in_pieces(field: &FieldDescriptor) -> bool {
    !field.is_list() && field.containing_oneof().is_none()
}

fn is_scalar(field: &FieldDescriptor) -> bool {
    !matches!(field.kind(), Kind::Message(_))
}

fn value(random: &mut Random, field: &FieldDescriptor, sparse: usize, depth: usize) -> Value {
    match field.kind() {
        Kind::Message(shape) => Value::Message(message(random, &shape, sparse, depth + 1)),
        Kind::String => Value::String(text(random)),
        Kind::Bytes => Value::Bytes(match field.name() {
            "trace_id" | "profile_id" => identifier(random, 16).into(),
            "span_id" | "parent_span_id" => identifier(random, 8).into(),
            _ => text(random).into_bytes().into(),
        }),
        Kind::Bool => Value::Bool(random.once_in(2)),
        Kind::Double => Value::F64(*random.pick(&[0.0, -0.0, 1.5, -2.25e300, f64::NAN, f64::INFINITY])),
        Kind::Enum(shape) => {
            Value::EnumNumber(shape.values().nth(random.below(shape.values().len())).map_or(0, |v| v.number()))
        }
        Kind::Int32 | Kind::Sint32 if field.name().contains("ind") => Value::I32(random.below(4) as i32),
        Kind::Int32 | Kind::Sint32 => Value::I32(number(random) as i32),
        Kind::Int64 | Kind::Sfixed64 => Value::I64(number(random) as i64),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(number(random) as u32),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(number(random)),
        other => panic!("OTLP has no {other:?}"),
    }
}

fn number(random: &mut Random) -> u64 {
    match random.below(4) {
        0 => 0,
        1 => random.next() % 200,
        2 => 1_700_000_000_000_000_000 + random.next() % 1_000_000,
        _ => random.next(),
    }
}

fn identifier(random: &mut Random, length: usize) -> Vec<u8> {
    match random.below(8) {
        0 => Vec::new(),
        1 => vec![0; length],
        _ => (0..length).map(|_| random.next() as u8).collect(),
    }
}

fn text(random: &mut Random) -> String {
    let denied = *random.pick(&DENIED);
    let harmless = *random.pick(&HARMLESS);
    match random.below(5) {
        0 => denied.to_owned(),
        1 => format!("{harmless} {denied} {}", random.pick(&DENIED)),
        _ => harmless.to_owned(),
    }
}

/// Writes messages as odd senders might. Each oddity comes once in so many fields; 0: never.
pub struct Encoder<'r> {
    pub random: &'r mut Random,
    /// What every parser must read alike: shuffled fields, padded lengths, unpacked numbers, messages in two pieces, unknown fields.
    pub unusual: usize,
    /// What parsers read differently, or refuse: twice what may stand once, wrong wire types, overlong varints, broken text.
    pub wrong: usize,
}

impl Encoder<'_> {
    pub fn encode(&mut self, message: &DynamicMessage) -> Vec<u8> {
        let mut fields: Vec<(FieldDescriptor, Value)> =
            message.fields().map(|(field, value)| (field, value.clone())).collect();
        if self.unusually() {
            self.random.shuffle(&mut fields);
        }
        let mut out = Vec::new();
        for (field, value) in &fields {
            if self.unusually() {
                self.unknown(&mut out);
            }
            if self.wrongly() {
                self.misuse(field, value, &mut out);
            }
            match value {
                Value::List(items) => self.list(field, items, &mut out),
                value => self.single(field, value, &mut out),
            }
        }
        out
    }

    fn unusually(&mut self) -> bool {
        self.unusual > 0 && self.random.once_in(self.unusual)
    }

    fn wrongly(&mut self) -> bool {
        self.wrong > 0 && self.random.once_in(self.wrong)
    }

    fn list(&mut self, field: &FieldDescriptor, items: &[Value], out: &mut Vec<u8>) {
        let packable = field.cardinality() == Cardinality::Repeated && is_scalar(field) && wire_type(field) != 2;
        if !packable || self.unusually() {
            items.iter().for_each(|item| self.single(field, item, out));
            return;
        }
        let mut packed = Vec::new();
        items.iter().for_each(|item| scalar(item, field, &mut packed));
        tag(field.number(), 2, out);
        self.length(packed.len(), out);
        out.extend(packed);
    }

    fn single(&mut self, field: &FieldDescriptor, value: &Value, out: &mut Vec<u8>) {
        match value {
            // The schema's singular messages may come in pieces, save where a oneof stands inside.
            Value::Message(message)
                if may_come_in_pieces(field) && message.descriptor().oneofs().len() == 0 && self.unusually() =>
            {
                let (mut first, mut second) = (message.clone(), DynamicMessage::new(message.descriptor()));
                for (part, value) in message.fields() {
                    if self.random.once_in(2) {
                        first.clear_field(&part);
                        second.set_field(&part, value.clone());
                    }
                }
                for piece in [first, second] {
                    let bytes = self.encode(&piece);
                    self.delimited(field.number(), &bytes, out);
                }
            }
            Value::Message(message) => {
                let bytes = self.encode(message);
                self.delimited(field.number(), &bytes, out);
            }
            Value::String(text) => self.delimited(field.number(), text.as_bytes(), out),
            Value::Bytes(bytes) => self.delimited(field.number(), bytes, out),
            number => {
                tag(field.number(), wire_type(field), out);
                scalar(number, field, out);
            }
        }
    }

    fn delimited(&mut self, number: u32, bytes: &[u8], out: &mut Vec<u8>) {
        tag(number, 2, out);
        self.length(bytes.len(), out);
        out.extend_from_slice(bytes);
    }

    /// A length, at times wider than it need be.
    fn length(&mut self, length: usize, out: &mut Vec<u8>) {
        let width = if self.unusually() { 2 + self.random.below(4) } else { 1 };
        let width = if self.wrongly() { width + 5 } else { width };
        let length = if self.wrongly() { length + 1 } else { length };
        padded(length as u64, width, out);
    }

    fn unknown(&mut self, out: &mut Vec<u8>) {
        let number = *self.random.pick(&[50, 1000, 2047, 16_000, 536_870_911]);
        match self.random.below(4) {
            0 => {
                tag(number, 0, out);
                padded(self.random.next(), 1, out);
            }
            1 => {
                tag(number, 1, out);
                out.extend(self.random.next().to_le_bytes());
            }
            2 => {
                tag(number, 5, out);
                out.extend((self.random.next() as u32).to_le_bytes());
            }
            _ => {
                let text = *self.random.pick(&DENIED);
                self.delimited(number, text.as_bytes(), out);
            }
        }
    }

    /// Puts something before a field that is not as it should be.
    fn misuse(&mut self, field: &FieldDescriptor, value: &Value, out: &mut Vec<u8>) {
        let number = field.number();
        let denied = *self.random.pick(&DENIED);
        match self.random.below(12) {
            // The same field once more: merged, replaced or appended.
            0 | 1 => match value {
                Value::List(items) => self.list(field, items, out),
                value => self.single(field, value, out),
            },
            // Another member of the same oneof.
            2 | 3 => {
                let siblings: Vec<FieldDescriptor> =
                    field.containing_oneof().map(|o| o.fields().collect()).unwrap_or_default();
                if let Some(sibling) = siblings.get(self.random.below(siblings.len().max(1))) {
                    let other = crate::generate::value(self.random, sibling, 2, 9);
                    self.single(sibling, &other, out);
                }
            }
            4 => {
                let wire = *self.random.pick(&[0, 1, 2, 5]);
                tag(number, wire, out);
                match wire {
                    0 => out.push(1),
                    1 => out.extend([0; 8]),
                    5 => out.extend([0; 4]),
                    _ => self.delimited(number, denied.as_bytes(), out),
                }
            }
            // A group, with something to find inside.
            5 => {
                tag(number, 3, out);
                self.delimited(1, denied.as_bytes(), out);
                tag(number, 4, out);
            }
            6 => self.delimited(number, b"\xff\xfe 203.0.113.77", out),
            // A tag of more bytes than it needs, and one that is this field's again once cut to 32 bits.
            7 => {
                padded(u64::from(number << 3 | u32::from(wire_type(field))), 4, out);
                self.payload(field, denied, out);
            }
            8 => {
                padded(1 << 35 | u64::from(number << 3 | u32::from(wire_type(field))), 1, out);
                self.payload(field, denied, out);
            }
            9 => {
                tag(number, 0, out);
                out.extend([0xff; 10]);
                out.push(0x01);
            }
            10 => out.extend([0x00, 0x00]),
            _ => {
                let bytes = vec![7; self.random.below(20)];
                self.delimited(number, &bytes, out);
            }
        }
    }

    fn payload(&mut self, field: &FieldDescriptor, text: &str, out: &mut Vec<u8>) {
        match wire_type(field) {
            0 => out.push(1),
            1 => out.extend([0; 8]),
            5 => out.extend([0; 4]),
            _ => {
                padded(text.len() as u64, 1, out);
                out.extend_from_slice(text.as_bytes());
            }
        }
    }
}

fn wire_type(field: &FieldDescriptor) -> u8 {
    match field.kind() {
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => 1,
        Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => 5,
        Kind::String | Kind::Bytes | Kind::Message(_) => 2,
        _ => 0,
    }
}

fn scalar(value: &Value, field: &FieldDescriptor, out: &mut Vec<u8>) {
    match (value, field.kind()) {
        (Value::Bool(flag), _) => out.push(u8::from(*flag)),
        (Value::F64(number), _) => out.extend(number.to_le_bytes()),
        (Value::U64(number), Kind::Fixed64) => out.extend(number.to_le_bytes()),
        (Value::I64(number), Kind::Sfixed64) => out.extend(number.to_le_bytes()),
        (Value::U32(number), Kind::Fixed32) => out.extend(number.to_le_bytes()),
        (Value::I32(number), Kind::Sint32) => padded(u64::from((number << 1 ^ number >> 31) as u32), 1, out),
        (Value::I32(number) | Value::EnumNumber(number), _) => padded(*number as i64 as u64, 1, out),
        (Value::I64(number), _) => padded(*number as u64, 1, out),
        (Value::U32(number), _) => padded(u64::from(*number), 1, out),
        (Value::U64(number), _) => padded(*number, 1, out),
        (other, kind) => panic!("{other:?} is no {kind:?}"),
    }
}

fn tag(number: u32, wire: u8, out: &mut Vec<u8>) {
    padded(u64::from(number) << 3 | u64::from(wire), 1, out);
}

/// A varint of at least so many bytes.
pub fn padded(mut value: u64, width: usize, out: &mut Vec<u8>) {
    let mut written = 1;
    while value >= 0x80 || written < width {
        out.push(value as u8 | 0x80);
        value >>= 7;
        written += 1;
    }
    out.push(value as u8);
}

/// Harm of the blind kind: bits turned, bytes lost, doubled or put in.
pub fn scramble(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..1 + random.below(3) {
        if bytes.is_empty() {
            return;
        }
        let at = random.below(bytes.len());
        let end = (at + 1 + random.below(12)).min(bytes.len());
        match random.below(6) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.next() as u8,
            2 => drop(bytes.drain(at..end)),
            3 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            4 => bytes.insert(at, random.next() as u8),
            _ => bytes.truncate(at),
        }
    }
}
