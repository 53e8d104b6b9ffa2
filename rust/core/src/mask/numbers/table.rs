//! The numbers that are known by their shape and check digits.

use super::super::entity::Entity;
use super::checks::*;

/// A kind of number.
pub(super) struct Row {
    pub entity: Entity,
    pub kind: &'static str,
    /// Without separators: `9` a digit, `A` a letter, `*` either, other signs themselves in lower case.
    pub pattern: &'static str,
    pub check: fn(&[u8]) -> bool,
    /// How sure it is by itself.
    pub alone: f32,
    /// How sure it is where separators stand where they are usually put, or at 0 not more.
    pub grouped: f32,
    /// The usual groups, such as `3-2-4`; empty: any.
    pub groups: &'static [usize],
    /// Words that say what it is, near to it. Without any, context says nothing.
    pub words: &'static [&'static str],
}

const fn row(
    (entity, kind): (Entity, &'static str),
    pattern: &'static str,
    check: fn(&[u8]) -> bool,
    (alone, grouped): (f32, f32),
    groups: &'static [usize],
    words: &'static [&'static str],
) -> Row {
    Row { entity, kind, pattern, check, alone, grouped, groups, words }
}

use Entity::{
    BankAccount, Card, DriverLicense, Iban, Medical, NationalId, Npi, Passport, PostalCode, Ssn, TaxId,
    Vehicle,
};

const CARD_WORDS: &[&str] =
    &["card", "visa", "mastercard", "amex", "credit", "debit", "cc", "pan", "payment", "karte"];
const ID_WORDS: &[&str] = &["id number", "identity", "national id", "identification", "id no", "id:"];

#[rustfmt::skip]
pub(super) static ROWS: &[Row] = &[
    // Payment and banking
    row((Card, "card"), "999999999999", card, (0.45, 0.6), &[4, 4, 4], CARD_WORDS),
    row((Card, "card"), "9999999999999", card, (0.5, 0.6), &[], CARD_WORDS),
    row((Card, "card"), "99999999999999", card, (0.6, 0.8), &[4, 6, 4], CARD_WORDS),
    row((Card, "card"), "999999999999999", card, (0.75, 0.9), &[4, 6, 5], CARD_WORDS),
    row((Card, "card"), "9999999999999999", card, (0.85, 0.95), &[4, 4, 4, 4], CARD_WORDS),
    row((Card, "card"), "99999999999999999", card, (0.5, 0.6), &[], CARD_WORDS),
    row((Card, "card"), "999999999999999999", card, (0.5, 0.6), &[], CARD_WORDS),
    row((Card, "card"), "9999999999999999999", card, (0.6, 0.8), &[4, 4, 4, 4, 3], CARD_WORDS),
    row((BankAccount, "us-aba"), "999999999", aba, (0.3, 0.35), &[4, 4, 1], &["routing", "aba", "bank", "rtn"]),
    row((BankAccount, "us-account"), "9999999999", any, (0.1, 0.0), &[], &["account number", "account no", "acct"]),
    row((BankAccount, "us-account"), "99999999", any, (0.1, 0.0), &[], &["account number", "account no", "acct", "sort code"]),
    row((BankAccount, "us-account"), "999999999999", any, (0.1, 0.0), &[], &["account number", "account no", "acct"]),
    // United States
    row((Ssn, "us-ssn"), "999999999", us_ssn, (0.2, 0.85), &[3, 2, 4], &["ssn", "social security", "ss#", "ssns", "social"]),
    row((TaxId, "us-itin"), "999999999", itin, (0.2, 0.8), &[3, 2, 4], &["itin", "taxpayer", "tax id"]),
    row((TaxId, "us-ein"), "999999999", any, (0.1, 0.4), &[2, 7], &["ein", "employer identification", "fein"]),
    row((Npi, "us-npi"), "9999999999", npi, (0.35, 0.0), &[], &["npi", "provider"]),
    row((Medical, "us-dea"), "AA9999999", us_dea, (0.6, 0.0), &[], &["dea", "certificate", "license", "licence", "prescri"]),
    row((Medical, "us-mbi"), "9A*9A*9AA99", us_mbi, (0.75, 0.9), &[4, 3, 4], &["medicare", "mbi", "patient", "beneficiary"]),
    row((Passport, "us-passport"), "A99999999", any, (0.15, 0.0), &[], &["passport", "travel"]),
    row((Passport, "us-passport"), "999999999", any, (0.1, 0.0), &[], &["passport"]),
    // Canada, Latin America
    row((NationalId, "ca-sin"), "999999999", ca_sin, (0.3, 0.7), &[3, 3, 3], &["sin", "social insurance", "nas"]),
    row((NationalId, "br-cpf"), "99999999999", br_cpf, (0.55, 0.95), &[3, 3, 3, 2], &["cpf"]),
    row((TaxId, "br-cnpj"), "99999999999999", br_cnpj, (0.55, 0.95), &[2, 3, 3, 4, 2], &["cnpj"]),
    row((TaxId, "ar-cuit"), "99999999999", ar_cuit, (0.45, 0.9), &[2, 8, 1], &["cuit", "cuil"]),
    row((NationalId, "cl-rut"), "99999999*", cl_rut, (0.35, 0.9), &[2, 3, 3, 1], &["rut", "run"]),
    row((NationalId, "cl-rut"), "9999999*", cl_rut, (0.2, 0.85), &[1, 3, 3, 1], &["rut", "run"]),
    row((NationalId, "mx-curp"), "AAAA999999AAAAAA*9", mx_curp, (0.95, 0.0), &[], &["curp"]),
    // United Kingdom, Ireland
    row((NationalId, "uk-nino"), "AA999999A", uk_nino, (0.75, 0.85), &[2, 2, 2, 2, 1], &["nino", "national insurance", "ni number"]),
    row((Medical, "uk-nhs"), "9999999999", uk_nhs, (0.3, 0.6), &[3, 3, 4], &["nhs"]),
    row((DriverLicense, "uk-driving"), "AAAAA999999AA9AA", any, (0.85, 0.0), &[], &["driv", "licence", "license"]),
    row((DriverLicense, "uk-driving"), "AA999999999AA9AA", any, (0.75, 0.0), &[], &["driv", "licence", "license"]),
    row((DriverLicense, "uk-driving"), "AA999999999AA9*A", any, (0.5, 0.0), &[], &["driv", "licence", "license"]),
    row((Passport, "uk-passport"), "AA9999999", any, (0.1, 0.0), &[], &["passport"]),
    row((NationalId, "ie-pps"), "9999999A", ie_pps, (0.6, 0.0), &[], &["pps", "ppsn"]),
    row((NationalId, "ie-pps"), "9999999AA", ie_pps, (0.7, 0.0), &[], &["pps", "ppsn"]),
    // Germany, Austria, Switzerland
    row((TaxId, "de-tax-id"), "99999999999", de_tax_id, (0.4, 0.5), &[2, 3, 3, 3], &["steuer", "idnr", "tin", "tax"]),
    row((NationalId, "de-pension"), "99999999A999", de_pension, (0.85, 0.9), &[], &["rvnr", "sozialversicherung", "rentenversicherung"]),
    row((Passport, "de-passport"), "A********9", icao, (0.2, 0.0), &[], &["reisepass", "ausweis", "passport", "personalausweis"]),
    row((Passport, "de-passport"), "A********", any, (0.05, 0.0), &[], &["reisepass", "ausweis", "passnummer", "personalausweis"]),
    row((TaxId, "de-vat"), "de999999999", de_vat, (0.85, 0.0), &[], &["ust", "umsatzsteuer", "vat"]),
    row((DriverLicense, "de-driving"), "A99A99999A9", any, (0.35, 0.0), &[], &["führerschein", "fuhrerschein", "fahrerlaubnis"]),
    row((NationalId, "at-svnr"), "9999999999", at_svnr, (0.3, 0.6), &[4, 6], &["svnr", "sozialversicherung", "versicherungsnummer"]),
    row((NationalId, "ch-ahv"), "9999999999999", ch_ahv, (0.8, 0.95), &[3, 4, 4, 2], &["ahv", "avs"]),
    // France, Benelux, Iberia, Italy, Greece
    row((NationalId, "fr-nir"), "999999999999999", fr_nir, (0.75, 0.9), &[1, 2, 2, 2, 3, 3, 2], &["securite sociale", "nir", "insee"]),
    row((NationalId, "fr-nir"), "999992A99999999", fr_nir, (0.8, 0.9), &[], &["securite sociale", "nir"]),
    row((NationalId, "nl-bsn"), "999999999", nl_bsn, (0.3, 0.35), &[], &["bsn", "burgerservicenummer", "sofi"]),
    row((NationalId, "be-nrn"), "99999999999", be_nrn, (0.45, 0.9), &[2, 2, 2, 3, 2], &["rijksregister", "registre national", "nrn"]),
    row((NationalId, "es-nif"), "99999999A", es_nif, (0.85, 0.85), &[8, 1], &["dni", "nif"]),
    row((NationalId, "es-nif"), "9999999A", es_nif, (0.5, 0.6), &[7, 1], &["dni", "nif"]),
    row((NationalId, "es-nie"), "A9999999A", nie, (0.85, 0.85), &[1, 7, 1], &["nie"]),
    row((Passport, "es-passport"), "AAA999999", any, (0.15, 0.0), &[], &["pasaporte", "passport"]),
    row((TaxId, "pt-nif"), "999999999", pt_nif, (0.3, 0.35), &[3, 3, 3], &["nif", "contribuinte", "nipc"]),
    row((NationalId, "it-fiscal-code"), "AAAAAA99A99A999A", it_fiscal_code, (0.95, 0.0), &[], &["codice fiscale"]),
    row((TaxId, "it-vat"), "99999999999", it_vat, (0.3, 0.0), &[], &["partita iva", "p.iva", "p. iva", "vat"]),
    row((Passport, "it-passport"), "AA9999999", any, (0.1, 0.0), &[], &["passaporto", "passport"]),
    row((NationalId, "gr-amka"), "99999999999", gr_amka, (0.45, 0.0), &[], &["amka"]),
    // Nordic countries
    row((NationalId, "se-personal"), "9999999999", se_personal, (0.45, 0.8), &[6, 4], &["personnummer", "personal number", "personal identity"]),
    row((NationalId, "se-personal"), "999999999999", century, (0.6, 0.85), &[8, 4], &["personnummer", "personal number", "personal identity"]),
    row((NationalId, "dk-cpr"), "9999999999", dk_cpr, (0.2, 0.6), &[6, 4], &["cpr", "personnummer"]),
    row((NationalId, "no-birth-number"), "99999999999", no_birth_number, (0.7, 0.85), &[6, 5], &["fødselsnummer", "fodselsnummer", "personnummer"]),
    row((NationalId, "fi-hetu"), "999999A999*", fi_hetu, (0.85, 0.0), &[], &["hetu", "henkilötunnus", "henkilotunnus"]),
    row((NationalId, "fi-hetu"), "999999999*", fi_hetu, (0.3, 0.8), &[6, 4], &["hetu", "henkilötunnus", "henkilotunnus"]),
    // Eastern Europe, Turkey, Israel
    row((NationalId, "pl-pesel"), "99999999999", pl_pesel, (0.55, 0.0), &[], &["pesel"]),
    row((NationalId, "cz-birth-number"), "9999999999", cz_birth_number, (0.3, 0.8), &[6, 4], &["rodne cislo", "rodné číslo", "rodne"]),
    row((NationalId, "ro-cnp"), "9999999999999", ro_cnp, (0.7, 0.0), &[], &["cnp"]),
    row((NationalId, "bg-egn"), "9999999999", bg_egn, (0.35, 0.0), &[], &["egn", "егн"]),
    row((NationalId, "hr-oib"), "99999999999", hr_oib, (0.35, 0.0), &[], &["oib"]),
    row((NationalId, "tr-identity"), "99999999999", tr_identity, (0.7, 0.0), &[], &["kimlik", "tckn", "turkish id"]),
    row((NationalId, "il-identity"), "999999999", il_identity, (0.2, 0.0), &[], &["teudat", "israeli id", "tz"]),
    // Africa, Asia, Oceania
    row((NationalId, "za-identity"), "9999999999999", za_identity, (0.85, 0.9), &[6, 4, 3], ID_WORDS),
    row((NationalId, "ng-nin"), "99999999999", verhoeff, (0.3, 0.0), &[], &["nin", "national identification"]),
    row((NationalId, "in-aadhaar"), "999999999999", in_aadhaar, (0.5, 0.85), &[4, 4, 4], &["aadhaar", "aadhar", "uidai", "uid"]),
    row((TaxId, "in-pan"), "AAAAA9999A", in_pan, (0.8, 0.0), &[], &["pan", "permanent account"]),
    row((NationalId, "in-voter"), "AAA9999999", any, (0.3, 0.0), &[], &["voter", "vote", "epic"]),
    row((Passport, "in-passport"), "A9999999", any, (0.1, 0.0), &[], &["passport"]),
    row((NationalId, "cn-identity"), "99999999999999999*", cn_identity, (0.9, 0.0), &[], &["身份证"]),
    row((NationalId, "kr-registration"), "9999999999999", kr_registration, (0.4, 0.85), &[6, 7], &["rrn", "frn", "resident registration", "주민등록"]),
    row((Passport, "kr-passport"), "A999A9999", any, (0.35, 0.0), &[], &["passport", "여권"]),
    row((NationalId, "jp-my-number"), "999999999999", jp_my_number, (0.3, 0.6), &[4, 4, 4], &["my number", "マイナンバー", "個人番号"]),
    row((NationalId, "sg-nric"), "A9999999A", sg_nric, (0.85, 0.0), &[], &["nric", "fin"]),
    row((NationalId, "hk-identity"), "A999999*", hk_identity, (0.6, 0.8), &[7, 1], &["hkid", "identity card"]),
    row((NationalId, "hk-identity"), "AA999999*", hk_identity, (0.4, 0.8), &[8, 1], &["hkid", "identity card"]),
    row((NationalId, "tw-identity"), "A999999999", tw_identity, (0.85, 0.0), &[], &["身分證"]),
    row((NationalId, "th-identity"), "9999999999999", th_identity, (0.55, 0.9), &[1, 4, 5, 2, 1], &["tnin", "thai id", "บัตรประชาชน"]),
    row((TaxId, "au-tfn"), "999999999", au_tfn, (0.3, 0.6), &[3, 3, 3], &["tfn", "tax file"]),
    row((Medical, "au-medicare"), "9999999999", au_medicare, (0.35, 0.7), &[4, 5, 1], &["medicare"]),
    row((TaxId, "au-abn"), "99999999999", au_abn, (0.4, 0.7), &[2, 3, 3, 3], &["abn", "business number"]),
    row((TaxId, "nz-ird"), "999999999", nz_ird, (0.2, 0.4), &[3, 3, 3], &["ird"]),
    row((TaxId, "nz-ird"), "99999999", nz_ird, (0.2, 0.4), &[2, 3, 3], &["ird"]),
    // Anywhere
    row((Vehicle, "vin"), "*****************", vin, (0.8, 0.0), &[], &["vin", "vehicle"]),
    row((PostalCode, "uk-postcode"), "A99AA", any, (0.3, 0.4), &[2, 3], &["postcode"]),
    row((PostalCode, "uk-postcode"), "AA99AA", any, (0.3, 0.5), &[3, 3], &["postcode"]),
    row((PostalCode, "uk-postcode"), "AA999AA", any, (0.5, 0.6), &[4, 3], &["postcode"]),
    row((PostalCode, "uk-postcode"), "AA9A9AA", any, (0.5, 0.6), &[4, 3], &["postcode"]),
];

fn itin(number: &[u8]) -> bool {
    number.starts_with(b"9") && us_itin(number)
}

fn npi(number: &[u8]) -> bool {
    (number.starts_with(b"1") || number.starts_with(b"2")) && us_npi(number)
}

fn nie(number: &[u8]) -> bool {
    matches!(number.first(), Some(b'X'..=b'Z')) && es_nie(number)
}

fn century(number: &[u8]) -> bool {
    (number.starts_with(b"18") || number.starts_with(b"19") || number.starts_with(b"20"))
        && se_personal(number)
}

/// Countries whose accounts have an IBAN, and how long it is (SWIFT's registry).
pub(super) static IBAN_LENGTHS: &[(&[u8; 2], usize)] = &[
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];

/// Of an IBAN.
pub(super) const IBAN: (Entity, &str) = (Iban, "iban");
