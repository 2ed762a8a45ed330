//! Values as Go's templates see them: typed, byte strings, maps and lists by reference.

mod key;

use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

pub use key::Key;

use super::{
    kind::Type,
    object::{Object, StructType},
};
use crate::vault::value::{Text, Value as Data};

/// A Go value. Clones are cheap and share maps, as Go's maps are shared. No `Display`: use `print`.
///
/// The difference between Go's invalid value and a nil interface belongs to the evaluator, functions see `Nil` for both.
#[derive(Clone, Default)]
pub enum Value {
    /// `nil` without a type.
    #[default]
    Nil,
    /// `bool`.
    Bool(bool),
    /// `int`.
    Int(i64),
    /// `int64`.
    Int64(i64),
    /// `uint64`.
    Uint64(u64),
    /// `uint8`.
    Uint8(u8),
    /// `float64`.
    Float(f64),
    /// `complex128`: what constants such as `1+2i` are.
    Complex(f64, f64),
    /// `json.Number`: the text of a number.
    Number(Text),
    /// `string`, any bytes.
    String(Text),
    /// A slice.
    List(List),
    /// A map.
    Map(Map),
    /// The channel that `loop` gives.
    Channel(Rc<Counter>),
    /// A struct or a pointer to one.
    Object(Rc<Object>),
    /// A nil pointer to a struct.
    NilPointer(&'static StructType),
}

/// A slice: its element type, and its items unless it is nil.
#[derive(Clone)]
pub struct List {
    /// Static type of the elements.
    pub elem: &'static Type,
    items: Option<Rc<Items>>,
}

struct Items {
    as_made: Vec<Value>,
    /// The same after `sprig_sortAlpha`, the only function that changes a list in place.
    sorted: OnceCell<Vec<Value>>,
}

/// A map: its types, and its entries unless it is nil.
#[derive(Clone)]
pub struct Map {
    /// Static type of the keys.
    pub key: &'static Type,
    /// Static type of the elements.
    pub elem: &'static Type,
    entries: Option<Rc<Entries>>,
}

struct Entries(RefCell<BTreeMap<Key, Value>>);

/// The state of a `loop`: what it yields next and where it ends. Draining is shared by all clones, as in Go.
pub struct Counter {
    next: Cell<i64>,
    end: i64,
}

impl Counter {
    /// Yields `start`, `start + 1`, … up to `end - 1`.
    pub const fn new(start: i64, end: i64) -> Self {
        Self { next: Cell::new(start), end }
    }

    /// The next number; `None` when the channel is drained.
    pub fn pull(&self) -> Option<i64> {
        let next = self.next.get();
        (next < self.end).then(|| {
            self.next.set(next + 1);
            next
        })
    }
}

impl List {
    /// A slice with these items.
    pub fn new(elem: &'static Type, items: Vec<Value>) -> Self {
        Self { elem, items: Some(Rc::new(Items { as_made: items, sorted: OnceCell::new() })) }
    }

    /// The nil slice.
    pub const fn nil(elem: &'static Type) -> Self {
        Self { elem, items: None }
    }

    /// Whether this is the nil slice (JSON `null`), not merely an empty one.
    pub const fn is_nil(&self) -> bool {
        self.items.is_none()
    }

    /// The items.
    pub fn items(&self) -> &[Value] {
        self.items.as_deref().map_or(&[], |items| items.sorted.get().unwrap_or(&items.as_made))
    }

    /// Puts a list of texts in order, for all who hold it.
    pub fn sort(&self) {
        if let Some(items) = self.items.as_deref() {
            items.sorted.get_or_init(|| {
                let mut sorted = items.as_made.clone();
                sorted.sort_by(|a, b| a.as_text().map(Text::as_bytes).cmp(&b.as_text().map(Text::as_bytes)));
                sorted
            });
        }
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.items().len()
    }

    /// Whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.items().is_empty()
    }
}

impl Map {
    /// A map with these entries.
    pub fn new(key: &'static Type, elem: &'static Type, entries: BTreeMap<Key, Value>) -> Self {
        Self { key, elem, entries: Some(Rc::new(Entries(RefCell::new(entries)))) }
    }

    /// A `map[string]interface {}`.
    pub fn dict(entries: impl IntoIterator<Item = (Text, Value)>) -> Self {
        let entries = entries.into_iter().map(|(key, value)| (Key::String(key), value)).collect();
        Self::new(&Type::String, &Type::Any, entries)
    }

    /// The nil map.
    pub const fn nil(key: &'static Type, elem: &'static Type) -> Self {
        Self { key, elem, entries: None }
    }

    /// Whether this is the nil map, not merely an empty one.
    pub const fn is_nil(&self) -> bool {
        self.entries.is_none()
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.as_ref().map_or(0, |entries| entries.0.borrow().len())
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value under `key`.
    pub fn get(&self, key: &Key) -> Option<Value> {
        self.entries.as_ref()?.0.borrow().get(key).cloned()
    }

    /// The value under a string key.
    pub fn get_text(&self, key: &str) -> Option<Value> {
        self.get(&Key::String(key.into()))
    }

    /// Sets an entry, seen by every clone. False for the nil map, where Go panics ("assignment to entry in nil map").
    pub fn insert(&self, key: Key, value: Value) -> bool {
        self.entries.as_ref().map(|entries| entries.0.borrow_mut().insert(key, value)).is_some()
    }

    /// Takes an entry away, seen by every clone.
    pub fn remove(&self, key: &Key) -> Option<Value> {
        self.entries.as_ref()?.0.borrow_mut().remove(key)
    }

    /// All entries in order, at this moment. Nothing is borrowed, so the map may change while they are used.
    pub fn entries(&self) -> Vec<(Key, Value)> {
        let Some(entries) = &self.entries else { return Vec::new() };
        entries.0.borrow().iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// Whether both are the same map in memory.
    pub fn same(&self, other: &Self) -> bool {
        match (&self.entries, &other.entries) {
            (Some(a), Some(b)) => Rc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        }
    }
}

impl Value {
    /// A string.
    pub fn text(text: impl Into<Text>) -> Self {
        Self::String(text.into())
    }

    /// A `[]interface {}`.
    pub fn anys(items: Vec<Self>) -> Self {
        Self::List(List::new(&Type::Any, items))
    }

    /// A `[]string`.
    pub fn strings<T: Into<Text>>(items: impl IntoIterator<Item = T>) -> Self {
        Self::List(List::new(&Type::String, items.into_iter().map(Self::text).collect()))
    }

    /// A `map[string]interface {}`.
    pub fn dict(entries: impl IntoIterator<Item = (Text, Self)>) -> Self {
        Self::Map(Map::dict(entries))
    }

    /// Secret data as Go sees it. Strings and numbers are shared, not copied.
    pub fn from_data(data: &Data) -> Self {
        match data {
            Data::Null => Self::Nil,
            Data::Bool(flag) => Self::Bool(*flag),
            Data::Number(text) => Self::Number(text.clone()),
            Data::String(text) => Self::String(text.clone()),
            Data::List(items) => Self::anys(items.iter().map(Self::from_data).collect()),
            Data::Map(map) => {
                Self::dict(map.iter().map(|(key, value)| (Text::from(&**key), Self::from_data(value))))
            }
        }
    }

    /// The dynamic type; `None` for `Nil`.
    pub fn go_type(&self) -> Option<Type> {
        Some(match self {
            Self::Nil => return None,
            Self::Bool(_) => Type::Bool,
            Self::Int(_) => Type::Int,
            Self::Int64(_) => Type::Int64,
            Self::Uint64(_) => Type::Uint64,
            Self::Uint8(_) => Type::Uint8,
            Self::Float(_) => Type::Float64,
            Self::Complex(..) => Type::Complex128,
            Self::Number(_) => Type::Number,
            Self::String(_) => Type::String,
            Self::List(list) => Type::List(list.elem),
            Self::Map(map) => Type::Map(map.key, map.elem),
            Self::Channel(_) => Type::Channel,
            Self::Object(object) if object.pointer => Type::Pointer(object.of),
            Self::Object(object) => Type::Struct(object.of),
            Self::NilPointer(of) => Type::Pointer(of),
        })
    }

    /// The type's name as `%T` prints it; `<nil>` for `Nil`.
    pub fn type_name(&self) -> String {
        self.go_type().map_or_else(|| "<nil>".to_owned(), |of| of.to_string())
    }

    /// The kind's name as Sprig's `kindOf` and Go's reflect package give it; `invalid` for `Nil`.
    pub fn kind_name(&self) -> &'static str {
        match self {
            Self::Nil => "invalid",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Int64(_) => "int64",
            Self::Uint64(_) => "uint64",
            Self::Uint8(_) => "uint8",
            Self::Float(_) => "float64",
            Self::Complex(..) => "complex128",
            Self::Number(_) | Self::String(_) => "string",
            Self::List(_) => "slice",
            Self::Map(_) => "map",
            Self::Channel(_) => "chan",
            Self::Object(object) if object.pointer => "ptr",
            Self::Object(_) => "struct",
            Self::NilPointer(_) => "ptr",
        }
    }

    /// Truth as `if` and `with` see it.
    pub fn truth(&self) -> bool {
        match self {
            Self::Nil | Self::NilPointer(_) => false,
            Self::Bool(flag) => *flag,
            Self::Int(number) | Self::Int64(number) => *number != 0,
            Self::Uint64(number) => *number != 0,
            Self::Uint8(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Complex(real, imaginary) => *real != 0.0 || *imaginary != 0.0,
            Self::Number(text) | Self::String(text) => !text.as_bytes().is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::Channel(_) | Self::Object(_) => true,
        }
    }

    /// The bytes of a `string` or `json.Number`.
    pub const fn as_text(&self) -> Option<&Text> {
        match self {
            Self::String(text) | Self::Number(text) => Some(text),
            _ => None,
        }
    }

    /// About how many bytes the value itself holds, for the limits; shared contents below it are not counted.
    pub fn weight(&self) -> usize {
        match self {
            Self::Number(text) | Self::String(text) => text.as_bytes().len() + 48,
            Self::List(list) => list.len() * size_of::<Self>() + 112,
            // Tree nodes have room for eleven entries and are half full at least.
            Self::Map(map) => (map.len() / 6 + 1) * 22 * size_of::<Self>() + 64,
            _ => 0,
        }
    }
}

/// Empties containers without recursion, so that no nesting depth can overflow the stack on drop.
pub(super) fn dismantle(children: &mut Vec<Value>) {
    let holds_more = |value: &Value| matches!(value, Value::List(_) | Value::Map(_) | Value::Object(_));
    if !children.iter().any(holds_more) {
        return;
    }
    let mut heap = std::mem::take(children);
    while let Some(mut value) = heap.pop() {
        match &mut value {
            Value::List(list) => {
                if let Some(items) = list.items.as_mut().and_then(Rc::get_mut) {
                    heap.append(&mut items.as_made);
                }
            }
            Value::Map(map) => {
                if let Some(entries) = map.entries.as_mut().and_then(Rc::get_mut) {
                    heap.extend(std::mem::take(entries.0.get_mut()).into_values());
                }
            }
            Value::Object(object) => {
                if let Some(object) = Rc::get_mut(object) {
                    heap.append(&mut object.fields);
                }
            }
            _ => {}
        }
    }
}

impl Drop for Items {
    fn drop(&mut self) {
        dismantle(&mut self.as_made);
    }
}

impl Drop for Entries {
    fn drop(&mut self) {
        let mut children: Vec<Value> = std::mem::take(self.0.get_mut()).into_values().collect();
        dismantle(&mut children);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_data_is_shared_and_keeps_its_numbers() {
        let data = Data::from_json(r#"{"n":1.50,"l":[null,"x"],"m":{}}"#).unwrap();
        let Value::Map(map) = Value::from_data(&data) else { panic!("not a map") };
        let Some(Value::Number(number)) = map.get_text("n") else { panic!("not a number") };
        assert_eq!(number.as_bytes(), b"1.50");
        assert_eq!(map.get_text("l").unwrap().type_name(), "[]interface {}");
        assert_eq!(map.get_text("m").unwrap().type_name(), "map[string]interface {}");
    }

    #[test]
    fn a_changed_map_is_changed_for_every_holder() {
        let one = Map::dict([]);
        let two = one.clone();
        assert!(one.insert(Key::String("k".into()), Value::Int(1)));
        assert_eq!(two.len(), 1);
        assert!(!Map::nil(&Type::String, &Type::Any).insert(Key::Nil, Value::Nil));
    }

    #[test]
    fn keys_sort_as_go_prints_them() {
        let mut keys = [
            Key::Bool(true),
            Key::Int(10),
            Key::String("a".into()),
            Key::Int(9),
            Key::Float(f64::NAN),
            Key::String("B".into()),
            Key::Float(-1.0),
            Key::String("10".into()),
        ];
        keys.sort();
        let names: Vec<String> = keys
            .iter()
            .map(|key| match key {
                Key::String(text) => text.as_str().unwrap().to_owned(),
                Key::Int(number) => number.to_string(),
                Key::Float(number) => number.to_string(),
                _ => "bool".to_owned(),
            })
            .collect();
        assert_eq!(names, ["10", "B", "a", "9", "10", "NaN", "-1", "bool"]);
    }

    #[test]
    fn a_vault_number_is_true_even_when_it_is_zero() {
        assert!(Value::Number("0".into()).truth());
        assert!(!Value::Int(0).truth());
        assert!(!Value::text("").truth());
        assert!(Value::text("false").truth());
    }

    #[test]
    fn dropping_a_million_nested_lists_and_maps_does_not_overflow_the_stack() {
        let mut list = Value::Nil;
        let mut map = Value::Nil;
        for _ in 0..1_000_000 {
            list = Value::anys(vec![list]);
            map = Value::dict([("k".into(), map)]);
        }
        drop(list);
        drop(map);
        let root = Map::dict([]);
        let mut leaf = root.clone();
        for _ in 0..1_000_000 {
            let next = Map::dict([]);
            leaf.insert(Key::String("k".into()), Value::Map(next.clone()));
            leaf = next;
        }
        drop(leaf);
        drop(root);
    }
}
