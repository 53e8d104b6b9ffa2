//! Finds personal data and secrets in texts, and hides them so that they can be shown again.

mod addresses;
mod body;
mod custom;
mod dates;
mod decode;
mod email;
mod entity;
mod escapes;
mod find;
mod fold;
mod network;
mod numbers;
mod persons;
mod phone;
mod place;
mod placeholder;
pub mod secrets;
mod session;
mod spelt;
mod text;
mod told;
mod unmask;
mod view;
mod wallet;

pub use body::nothing_in_body;
pub use custom::{Custom, CustomError, compiled};
pub use entity::{ENTITIES, Entities, Entity, Facts};
pub use find::{Finder, Found};
pub use fold::is_invisible;
pub use session::{Action, Masker, Session};
pub use unmask::Unmasker;
pub use view::folded;
