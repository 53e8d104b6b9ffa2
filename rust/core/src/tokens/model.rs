//! What is known of a model by its name: its encoding, how its prompts are laid out, and what its images cost.

use super::encoding::Encoding;

/// How a provider lays out the messages of a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// GPT-3.5 to GPT-4.1: tools go into the system message. The first snapshots spent one more token a message.
    ChatMl { per_message: usize },
    /// The o-series and GPT-5: tools have a message of their own.
    Reasoning,
    /// The open-weight models: as `Reasoning`, after a system message that the server adds.
    OpenWeight,
    /// The search models, billed for the texts alone.
    TextsOnly,
}

/// What an image costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Vision {
    /// A price for the image and one for each tile of 512 pixels.
    Tiles { image: usize, tile: usize },
    /// Patches of 32 pixels, at most `most`, times a factor; and the marks around them.
    Patches { factor: f64, most: usize, marks: usize },
}

/// A model as far as counting goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Model {
    pub encoding: Encoding,
    pub layout: Layout,
    pub vision: Vision,
    /// Whether encoding and layout were checked against what the provider bills.
    pub verified: bool,
}

const O200K: Encoding = Encoding::O200kBase;
const CL100K: Encoding = Encoding::Cl100kBase;
const CHAT: Layout = Layout::ChatMl { per_message: 3 };
const TILES: Vision = Vision::Tiles { image: 85, tile: 170 };
const TILES_OF_GPT_5: Vision = Vision::Tiles { image: 70, tile: 140 };
const TILES_OF_O: Vision = Vision::Tiles { image: 75, tile: 150 };

/// Patches as the usage of recorded requests has them; the factors are those that users measured.
const fn patches(factor: f64, marks: usize) -> Vision {
    Vision::Patches { factor, most: 1536, marks }
}

/// By the beginning of the name; the first that fits counts.
const MODELS: &[(&str, Encoding, Layout, Vision, bool)] = &[
    ("gpt-4o-search", O200K, Layout::TextsOnly, TILES, true),
    ("gpt-4o-mini-search", O200K, Layout::TextsOnly, TILES, true),
    ("gpt-4o-mini", O200K, CHAT, Vision::Tiles { image: 2833, tile: 5667 }, true),
    ("gpt-4o", O200K, CHAT, TILES, true),
    ("chatgpt-4o", O200K, CHAT, TILES, true),
    ("gpt-4.1-nano", O200K, CHAT, patches(2.46, 1), true),
    ("gpt-4.1-mini", O200K, CHAT, patches(1.62, 1), true),
    ("gpt-4.1", O200K, CHAT, TILES, true),
    ("gpt-4.5", O200K, CHAT, TILES, false),
    ("gpt-4", CL100K, CHAT, TILES, true),
    ("gpt-3.5-turbo-0301", CL100K, Layout::ChatMl { per_message: 4 }, TILES, true),
    ("gpt-3.5", CL100K, CHAT, TILES, true),
    // Azure's name for it says no version; the oldest still answers to it.
    ("gpt-35", CL100K, CHAT, TILES, false),
    ("gpt-5-nano", O200K, Layout::Reasoning, patches(1.5, 2), true),
    ("gpt-5-mini", O200K, Layout::Reasoning, patches(1.2, 2), true),
    ("gpt-5.1", O200K, Layout::Reasoning, TILES_OF_GPT_5, true),
    ("gpt-5.", O200K, Layout::Reasoning, patches(1.2, 2), true),
    ("gpt-5", O200K, Layout::Reasoning, TILES_OF_GPT_5, true),
    ("gpt-6", O200K, Layout::Reasoning, patches(1.2, 2), false),
    ("gpt-oss", Encoding::O200kHarmony, Layout::OpenWeight, TILES, false),
    ("o4-mini", O200K, Layout::Reasoning, patches(1.72, 2), true),
    ("o1", O200K, Layout::Reasoning, TILES_OF_O, true),
    ("o3", O200K, Layout::Reasoning, TILES_OF_O, true),
    ("o4", O200K, Layout::Reasoning, TILES_OF_O, true),
    ("text-embedding-3", CL100K, CHAT, TILES, true),
    ("text-embedding-ada-002", CL100K, CHAT, TILES, true),
    ("davinci-002", CL100K, CHAT, TILES, true),
    ("davinci:2023", CL100K, CHAT, TILES, true),
    ("babbage-002", CL100K, CHAT, TILES, true),
    ("text-davinci-00", Encoding::P50kBase, CHAT, TILES, true),
    ("davinci", Encoding::P50kBase, CHAT, TILES, false),
    ("curie", Encoding::P50kBase, CHAT, TILES, false),
    ("babbage", Encoding::P50kBase, CHAT, TILES, false),
    ("ada", Encoding::P50kBase, CHAT, TILES, false),
    ("code-", Encoding::P50kBase, CHAT, TILES, false),
];

/// What is counted with when the name says nothing.
const UNKNOWN: Model = Model { encoding: O200K, layout: CHAT, vision: TILES, verified: false };

impl Model {
    /// The model of this name, a provider's prefix (`openai/`, `openai.`, `ft:`) or a region's left out.
    pub fn named(name: &str) -> Self {
        let name = bare(name);
        let found = MODELS.iter().find(|(prefix, ..)| name.starts_with(prefix));
        found.map_or(UNKNOWN, |&(_, encoding, layout, vision, verified)| Model {
            encoding,
            layout,
            vision,
            verified,
        })
    }
}

fn bare(name: &str) -> String {
    let name = name.trim().to_ascii_lowercase();
    let name = name.rsplit('/').next().unwrap_or_default();
    let name = name.strip_prefix("ft:").unwrap_or(name);
    let name = name.rsplit_once("openai.").map_or(name, |(_, name)| name);
    name.to_owned()
}

#[cfg(test)]
mod tests;
