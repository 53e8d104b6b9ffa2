//! Finds numbers that nothing tells but what they are called: passports, licences, patients' records.

use super::entity::Entity;
use super::find::Hits;
use super::numbers::Group;
use super::text::{before, has_word, slice};

struct Told {
    entity: Entity,
    kind: &'static str,
    words: &'static [&'static str],
    least: usize,
    most: usize,
}

static TOLD: [Told; 4] = [
    Told {
        entity: Entity::DriverLicense,
        kind: "driver-license",
        words: &[
            "driver's license",
            "drivers license",
            "driver license",
            "driving licence",
            "driver's licence",
            "driving license",
            "dl number",
            "dl#",
            "license number",
            "licence number",
            "permis de conduire",
            "führerschein",
            "fuhrerschein",
            "patente",
            "carnet de conducir",
        ],
        least: 5,
        most: 18,
    },
    Told {
        entity: Entity::Passport,
        kind: "passport",
        words: &["passport", "travel document", "reisepass", "passeport", "pasaporte", "passaporto"],
        least: 6,
        most: 12,
    },
    Told {
        entity: Entity::Medical,
        kind: "medical-record",
        words: &[
            "mrn",
            "medical record",
            "patient id",
            "patient number",
            "patient no",
            "health insurance",
            "member id",
            "chart number",
            "krankenversicherung",
            "versichertennummer",
        ],
        least: 5,
        most: 15,
    },
    Told {
        entity: Entity::BankAccount,
        kind: "bank-account",
        words: &[
            "account number",
            "account no",
            "bank account",
            "acct",
            "kontonummer",
            "numero de compte",
            "numero de cuenta",
        ],
        least: 6,
        most: 18,
    },
];
const BEFORE: usize = 40;

/// Finds what the words before a chain say that it is.
pub(super) fn find(bytes: &[u8], groups: &[Group], hits: &mut Hits) {
    let Some(first) = groups.iter().find(|group| group.digits > 0) else { return };
    let left = before(bytes, first.start, BEFORE);
    for told in TOLD.iter().filter(|told| has_word(left, told.words)) {
        let mut length = 0;
        let from = groups.iter().position(|group| group.start == first.start).unwrap_or(0);
        let same = |group: &&Group| group.digits > 0;
        let mut end = None;
        let mut previous = first.start;
        for group in groups.iter().skip(from).take_while(same) {
            if group.start > previous
                && slice(bytes, previous..group.start).iter().any(|byte| !matches!(byte, b' ' | b'-'))
            {
                break;
            }
            length += group.end - group.start;
            previous = group.end;
            if (told.least..=told.most).contains(&length) {
                end = Some(group.end);
            }
        }
        if let Some(end) = end {
            hits.add(told.entity, told.kind, first.start..end, 0.75);
        }
    }
}
