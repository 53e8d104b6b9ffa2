//! Check digits and the like: whether a number can be what it looks like.
//!
//! Every function takes the number without separators, letters in upper case, and its length and alphabet are those of
//! its row in [`super::table`]. Sources are the issuers' own rules, as national tax and registration offices publish
//! them.

#[cfg(test)]
mod tests;

/// The digits of a number; letters become 10 to 35.
fn values(number: &[u8]) -> impl DoubleEndedIterator<Item = u32> + '_ {
    number.iter().map(|byte| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        b'A'..=b'Z' => u32::from(byte - b'A') + 10,
        _ => 0,
    })
}

fn value(number: &[u8], at: usize) -> u32 {
    values(number.get(at..).unwrap_or_default()).next().unwrap_or(0)
}

fn part(number: &[u8], from: usize, to: usize) -> &[u8] {
    number.get(from..to).unwrap_or_default()
}

/// The number that decimal digits make.
fn decimal(digits: &[u8]) -> u64 {
    values(digits).fold(0, |sum, digit| sum.wrapping_mul(10).wrapping_add(u64::from(digit)))
}

fn weighted(number: &[u8], weights: &[u32]) -> u32 {
    values(number).zip(weights).map(|(digit, weight)| digit * weight).sum()
}

fn is_one_digit(number: &[u8]) -> bool {
    number.windows(2).all(|pair| pair.first() == pair.last())
}

/// Luhn's formula (ISO/IEC 7812-1, annex B).
pub(super) fn luhn(number: &[u8]) -> bool {
    let sum: u32 = values(number)
        .rev()
        .enumerate()
        .map(|(at, digit)| if at % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 })
        .sum();
    sum.is_multiple_of(10) && !is_one_digit(number)
}

/// ISO 7064, MOD 97-10, with the country and check digits at the front (ISO 13616).
pub(super) fn iban(number: &[u8]) -> bool {
    let Some((front, rest)) = number.split_at_checked(4) else { return false };
    mod97(rest.iter().chain(front)) == 1
}

fn mod97<'a>(number: impl Iterator<Item = &'a u8>) -> u32 {
    number.fold(0, |sum, byte| match value(&[*byte], 0) {
        digit @ 0..=9 => (sum * 10 + digit) % 97,
        letter => (sum * 100 + letter) % 97,
    })
}

/// ISO 7064, MOD 11,10.
fn mod11_10(number: &[u8]) -> bool {
    let Some((_, front)) = number.split_last() else { return false };
    let product = values(front).fold(10, |product, digit| {
        let sum = (digit + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10 == value(number, number.len() - 1)
}

/// Verhoeff's scheme, over the dihedral group of order ten.
pub(super) fn verhoeff(number: &[u8]) -> bool {
    const SHIFT: [u32; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let multiply = |a: u32, b: u32| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + b - 5) % 5,
        (false, true) => 5 + (a - 5 + 5 - b) % 5,
        (false, false) => (a + 5 - b) % 5,
    };
    let sum = values(number).rev().enumerate().fold(0, |sum, (at, digit)| {
        let shifted = (0..at % 8).fold(digit, |digit, _| SHIFT.get(digit as usize).copied().unwrap_or(0));
        multiply(sum, shifted)
    });
    sum == 0 && !is_one_digit(number)
}

fn is_date(year: u64, month: u64, day: u64) -> bool {
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) => 29,
        2 => 28,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}

/// Whether six digits are a day, the year first or last.
fn is_short_date(digits: &[u8], year_first: bool) -> bool {
    let [first, month, last] = [part(digits, 0, 2), part(digits, 2, 4), part(digits, 4, 6)].map(decimal);
    if year_first { is_date(first, month, last) } else { is_date(last, month, first) }
}

// Payment and banking ------------------------------------------------------------------------------------------------

/// Luhn's formula, and an issuer that has cards of that length (ISO/IEC 7812-2 ranges as the networks publish them).
pub(super) fn card(number: &[u8]) -> bool {
    let four = decimal(part(number, 0, 4));
    let (three, two) = (four / 10, four / 100);
    let known = match number.len() {
        12 => matches!(four, 5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763),
        13 => two / 10 == 4 || matches!(four, 5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763),
        14 => {
            matches!(three, 300..=305 | 309)
                || matches!(two, 36 | 38 | 39)
                || matches!(four, 5018 | 5020 | 6304)
        }
        15 => matches!(two, 34 | 37) || matches!(four, 1800 | 2131 | 2014 | 2149 | 5018 | 5020 | 6304),
        16 => {
            matches!(two, 40..=49 | 51..=55 | 60 | 62 | 64 | 65 | 35 | 36 | 38 | 50 | 56..=58 | 67 | 81 | 82)
                || matches!(four, 2200..=2204 | 2221..=2720 | 5018 | 5020 | 6304 | 9792)
        }
        17..=19 => matches!(two, 40..=49 | 62 | 60 | 64 | 65 | 35 | 50 | 56..=58 | 63 | 67),
        _ => false,
    };
    known && luhn(number)
}

/// American Bankers Association routing numbers.
pub(super) fn aba(number: &[u8]) -> bool {
    let district = decimal(part(number, 0, 2));
    matches!(district, 1..=12 | 21..=32 | 61..=72 | 80)
        && weighted(number, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10)
}

// Americas -----------------------------------------------------------------------------------------------------------

pub(super) fn us_ssn(number: &[u8]) -> bool {
    const ADVERTISED: [u64; 3] = [78_051_120, 219_099_999, 123_456_789];
    let (area, group, serial) =
        (decimal(part(number, 0, 3)), decimal(part(number, 3, 5)), decimal(part(number, 5, 9)));
    !matches!(area, 0 | 666 | 900..)
        && group > 0
        && serial > 0
        && !ADVERTISED.contains(&decimal(number))
        && !is_one_digit(number)
}

pub(super) fn us_itin(number: &[u8]) -> bool {
    matches!(decimal(part(number, 3, 5)), 50..=65 | 70..=88 | 90..=92 | 94..=99)
}

/// National Provider Identifiers: Luhn's formula with 80840 before them.
pub(super) fn us_npi(number: &[u8]) -> bool {
    let whole: Vec<u8> = b"80840".iter().chain(number).copied().collect();
    luhn(&whole) && !is_one_digit(part(number, 0, 9))
}

/// Registrations with the Drug Enforcement Administration.
pub(super) fn us_dea(number: &[u8]) -> bool {
    let digits = part(number, 2, 9);
    let odd: u32 = [0, 2, 4].map(|at| value(digits, at)).iter().sum();
    let even: u32 = [1, 3, 5].map(|at| value(digits, at)).iter().sum();
    (odd + 2 * even) % 10 == value(digits, 6)
}

/// Medicare Beneficiary Identifiers have no S, L, O, I, B or Z.
pub(super) fn us_mbi(number: &[u8]) -> bool {
    !number.iter().any(|byte| b"SLOIBZ".contains(byte)) && value(number, 0) > 0
}

pub(super) fn ca_sin(number: &[u8]) -> bool {
    !matches!(value(number, 0), 0 | 8) && luhn(number)
}

pub(super) fn br_cpf(number: &[u8]) -> bool {
    let digit = |length: usize| {
        let sum: u32 =
            values(part(number, 0, length)).zip((2..=length as u32 + 1).rev()).map(|(a, b)| a * b).sum();
        sum * 10 % 11 % 10
    };
    !is_one_digit(number) && digit(9) == value(number, 9) && digit(10) == value(number, 10)
}

pub(super) fn br_cnpj(number: &[u8]) -> bool {
    let digit = |length: usize| {
        let sum: u32 = values(part(number, 0, length)).rev().zip((2..=9).cycle()).map(|(a, b)| a * b).sum();
        match sum % 11 {
            0 | 1 => 0,
            rest => 11 - rest,
        }
    };
    !is_one_digit(number) && digit(12) == value(number, 12) && digit(13) == value(number, 13)
}

pub(super) fn ar_cuit(number: &[u8]) -> bool {
    let kind = decimal(part(number, 0, 2));
    let check = 11 - weighted(part(number, 0, 10), &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
    matches!(kind, 20 | 23 | 24 | 27 | 30 | 33 | 34) && check % 11 == value(number, 10)
}

pub(super) fn cl_rut(number: &[u8]) -> bool {
    let Some((check, front)) = number.split_last() else { return false };
    let sum: u32 = values(front).rev().zip((2..=7).cycle()).map(|(a, b)| a * b).sum();
    let expected = match 11 - sum % 11 {
        11 => b'0',
        10 => b'K',
        digit => b'0' + digit as u8,
    };
    *check == expected && !is_one_digit(front)
}

pub(super) fn mx_curp(number: &[u8]) -> bool {
    is_short_date(part(number, 4, 10), true) && matches!(number.get(10), Some(b'H' | b'M' | b'X'))
}

// Europe -------------------------------------------------------------------------------------------------------------

pub(super) fn uk_nino(number: &[u8]) -> bool {
    let (prefix, last) = (part(number, 0, 2), number.last());
    let refused: [&[u8]; 8] = [b"BG", b"GB", b"NK", b"KN", b"TN", b"NT", b"ZZ", b"OO"];
    !prefix.iter().any(|byte| b"DFIQUV".contains(byte))
        && prefix.get(1) != Some(&b'O')
        && !refused.contains(&prefix)
        && matches!(last, Some(b'A'..=b'D'))
}

pub(super) fn uk_nhs(number: &[u8]) -> bool {
    let check = 11 - weighted(part(number, 0, 9), &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    check % 11 == value(number, 9) && check != 10 && !is_one_digit(number)
}

/// German tax numbers for persons: one digit comes twice or thrice in the first ten.
pub(super) fn de_tax_id(number: &[u8]) -> bool {
    let mut counts = [0_u8; 10];
    for digit in values(part(number, 0, 10)) {
        if let Some(count) = counts.get_mut(digit as usize) {
            *count += 1;
        }
    }
    let repeated = counts.iter().filter(|count| matches!(count, 2 | 3)).count();
    let most = counts.iter().max().copied().unwrap_or(0);
    value(number, 0) > 0 && repeated <= 1 && most <= 3 && mod11_10(number)
}

/// Insurance numbers of the German pension funds: the letter counts as two digits.
pub(super) fn de_pension(number: &[u8]) -> bool {
    let letter = value(number, 8) - 9;
    let digits =
        values(part(number, 0, 8)).chain([letter / 10, letter % 10]).chain(values(part(number, 9, 11)));
    let sum: u32 =
        digits.zip([2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1]).map(|(a, b)| a * b).map(|n| n / 10 + n % 10).sum();
    let day = decimal(part(number, 2, 4));
    sum % 10 == value(number, 11)
        && matches!(day, 1..=31 | 51..=81)
        && matches!(decimal(part(number, 4, 6)), 1..=12)
}

/// Machine-readable travel documents (ICAO 9303): weights 7, 3, 1, the last digit the check.
pub(super) fn icao(number: &[u8]) -> bool {
    let Some((_, front)) = number.split_last() else { return false };
    let sum: u32 = values(front).zip([7, 3, 1].into_iter().cycle()).map(|(a, b)| a * b).sum();
    sum % 10 == value(number, number.len() - 1)
}

/// French numbers of the national register; Corsica's 2A and 2B count as 19 and 18.
pub(super) fn fr_nir(number: &[u8]) -> bool {
    let mut digits = number.to_vec();
    let island: Option<[u8; 2]> = match part(number, 5, 7) {
        b"2A" => Some(*b"19"),
        b"2B" => Some(*b"18"),
        _ => None,
    };
    if let Some(island) = island {
        digits.splice(5..7, island);
    }
    let month = decimal(part(&digits, 3, 5));
    digits.iter().all(u8::is_ascii_digit)
        && matches!(month, 1..=12 | 20..=42 | 50..=99)
        && 97 - decimal(part(&digits, 0, 13)) % 97 == decimal(part(&digits, 13, 15))
}

pub(super) fn it_fiscal_code(number: &[u8]) -> bool {
    const ODD: [u32; 36] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12,
        14, 16, 10, 22, 25, 24, 23,
    ];
    let sum: u32 = values(part(number, 0, 15))
        .enumerate()
        .map(|(at, value)| match (at % 2, value) {
            (0, value) => ODD.get(value as usize).copied().unwrap_or(0),
            (_, letter @ 10..) => letter - 10,
            (_, digit) => digit,
        })
        .sum();
    number.get(15) == Some(&(b'A' + (sum % 26) as u8))
}

const NIF_LETTERS: &[u8] = b"TRWAGMYFPDXBNJZSQVHLCKE";

pub(super) fn es_nif(number: &[u8]) -> bool {
    let Some((letter, digits)) = number.split_last() else { return false };
    NIF_LETTERS.get((decimal(digits) % 23) as usize) == Some(letter)
}

pub(super) fn es_nie(number: &[u8]) -> bool {
    let Some((letter, digits)) = number.split_last() else { return false };
    let first = match digits.first() {
        Some(b'X') => 0,
        Some(b'Y') => 10_000_000,
        _ => 20_000_000,
    };
    NIF_LETTERS.get(((first + decimal(part(digits, 1, digits.len()))) % 23) as usize) == Some(letter)
}

pub(super) fn pt_nif(number: &[u8]) -> bool {
    let check = 11 - weighted(part(number, 0, 8), &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    let first = value(number, 0);
    !matches!(first, 0 | 4)
        && (if check > 9 { 0 } else { check }) == value(number, 8)
        && !is_one_digit(number)
}

pub(super) fn nl_bsn(number: &[u8]) -> bool {
    let sum = weighted(part(number, 0, 8), &[9, 8, 7, 6, 5, 4, 3, 2]);
    sum % 11 == value(number, 8) && sum > 0 && !is_one_digit(number)
}

pub(super) fn be_nrn(number: &[u8]) -> bool {
    let (front, check) = (decimal(part(number, 0, 9)), decimal(part(number, 9, 11)));
    let month = decimal(part(number, 2, 4));
    month <= 12 && (97 - front % 97 == check || 97 - (2_000_000_000 + front) % 97 == check)
}

/// Swiss social insurance numbers: an EAN-13 that begins with 756.
pub(super) fn ch_ahv(number: &[u8]) -> bool {
    number.starts_with(b"756")
        && weighted(number, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]).is_multiple_of(10)
}

pub(super) fn at_svnr(number: &[u8]) -> bool {
    let sum = weighted(number, &[3, 7, 9, 0, 5, 8, 4, 2, 1, 6]) % 11;
    sum == value(number, 3) && value(number, 0) > 0 && decimal(part(number, 6, 8)) <= 15
}

/// Swedish personal numbers, of ten digits or twelve.
pub(super) fn se_personal(number: &[u8]) -> bool {
    let ten = part(number, number.len().saturating_sub(10), number.len());
    let month = decimal(part(ten, 2, 4));
    let day = decimal(part(ten, 4, 6));
    (1..=12).contains(&month) && matches!(day, 1..=31 | 61..=91) && luhn(ten)
}

pub(super) fn dk_cpr(number: &[u8]) -> bool {
    is_short_date(number, false)
}

pub(super) fn no_birth_number(number: &[u8]) -> bool {
    let first = 11 - weighted(part(number, 0, 9), &[3, 7, 6, 1, 8, 9, 4, 5, 2]) % 11;
    let second = 11 - weighted(part(number, 0, 10), &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
    first % 11 == value(number, 9) && second % 11 == value(number, 10) && decimal(part(number, 0, 2)) <= 71
}

pub(super) fn fi_hetu(number: &[u8]) -> bool {
    const LETTERS: &[u8] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    let digits: Vec<u8> =
        part(number, 0, 6).iter().chain(part(number, number.len() - 4, number.len() - 1)).copied().collect();
    let sign = number.get(6).copied().unwrap_or(0);
    is_short_date(&digits, false)
        && (number.len() == 10 || b"ABCDEFUVWXY".contains(&sign))
        && LETTERS.get((decimal(&digits) % 31) as usize) == number.last()
}

pub(super) fn pl_pesel(number: &[u8]) -> bool {
    let sum = weighted(number, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]);
    let (month, day) = (decimal(part(number, 2, 4)) % 20, decimal(part(number, 4, 6)));
    sum.is_multiple_of(10) && (1..=12).contains(&month) && (1..=31).contains(&day)
}

pub(super) fn cz_birth_number(number: &[u8]) -> bool {
    let month = decimal(part(number, 2, 4)) % 50;
    (1..=32).contains(&month)
        && (1..=31).contains(&decimal(part(number, 4, 6)))
        && decimal(number).is_multiple_of(11)
}

pub(super) fn ro_cnp(number: &[u8]) -> bool {
    let check = weighted(part(number, 0, 12), &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
    value(number, 0) > 0
        && is_short_date(part(number, 1, 7), true)
        && (if check == 10 { 1 } else { check }) == value(number, 12)
}

pub(super) fn bg_egn(number: &[u8]) -> bool {
    let month = decimal(part(number, 2, 4));
    weighted(part(number, 0, 9), &[2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11 % 10 == value(number, 9)
        && matches!(month, 1..=12 | 21..=32 | 41..=52)
        && (1..=31).contains(&decimal(part(number, 4, 6)))
}

pub(super) fn hr_oib(number: &[u8]) -> bool {
    mod11_10(number) && !is_one_digit(number)
}

pub(super) fn gr_amka(number: &[u8]) -> bool {
    is_short_date(number, false) && luhn(number)
}

pub(super) fn ie_pps(number: &[u8]) -> bool {
    let extra = number.get(8).map_or(0, |_| 9 * (value(number, 8) - 9));
    let sum = weighted(part(number, 0, 7), &[8, 7, 6, 5, 4, 3, 2]) + extra;
    let expected = match sum % 23 {
        0 => b'W',
        rest => b'A' + rest as u8 - 1,
    };
    number.get(7) == Some(&expected)
}

pub(super) fn it_vat(number: &[u8]) -> bool {
    luhn(number) && decimal(part(number, 7, 10)) <= 999 && decimal(part(number, 0, 7)) > 0
}

pub(super) fn de_vat(number: &[u8]) -> bool {
    mod11_10(part(number, 2, 11))
}

// Asia, Africa, Oceania ----------------------------------------------------------------------------------------------

pub(super) fn tr_identity(number: &[u8]) -> bool {
    let odd: u32 = [0, 2, 4, 6, 8].map(|at| value(number, at)).iter().sum();
    let even: u32 = [1, 3, 5, 7].map(|at| value(number, at)).iter().sum();
    let all: u32 = values(part(number, 0, 10)).sum();
    value(number, 0) > 0 && (odd * 7 + 100 - even) % 10 == value(number, 9) && all % 10 == value(number, 10)
}

pub(super) fn il_identity(number: &[u8]) -> bool {
    luhn(number) && decimal(number) > 10_000
}

pub(super) fn za_identity(number: &[u8]) -> bool {
    is_short_date(number, true) && matches!(value(number, 10), 0..=2) && luhn(number)
}

pub(super) fn in_aadhaar(number: &[u8]) -> bool {
    value(number, 0) > 1 && verhoeff(number)
}

/// Permanent account numbers: the fourth letter is the kind of holder.
pub(super) fn in_pan(number: &[u8]) -> bool {
    number.get(3).is_some_and(|kind| b"ABCEFGHJLPT".contains(kind))
}

pub(super) fn cn_identity(number: &[u8]) -> bool {
    let sum = weighted(part(number, 0, 17), &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]);
    let year = decimal(part(number, 6, 10));
    (1850..=2100).contains(&year)
        && is_date(year, decimal(part(number, 10, 12)), decimal(part(number, 12, 14)))
        && b"10X98765432".get((sum % 11) as usize) == number.get(17)
}

pub(super) fn kr_registration(number: &[u8]) -> bool {
    is_short_date(number, true) && matches!(value(number, 6), 1..=8)
}

pub(super) fn jp_my_number(number: &[u8]) -> bool {
    let sum = weighted(part(number, 0, 11), &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
    (if sum <= 1 { 0 } else { 11 - sum }) == value(number, 11) && !is_one_digit(number)
}

pub(super) fn sg_nric(number: &[u8]) -> bool {
    let sum = weighted(part(number, 1, 8), &[2, 7, 6, 5, 4, 3, 2]);
    let (letters, offset): (&[u8], u32) = match number.first() {
        Some(b'S') => (b"JZIHGFEDCBA", 0),
        Some(b'T') => (b"JZIHGFEDCBA", 4),
        Some(b'F') => (b"XWUTRQPNMLK", 0),
        Some(b'G') => (b"XWUTRQPNMLK", 4),
        Some(b'M') => (b"KLJNPQRTUWX", 3),
        _ => return false,
    };
    let rest = (sum + offset) % 11;
    let at = if number.starts_with(b"M") { 10 - rest } else { rest };
    letters.get(at as usize) == number.get(8)
}

pub(super) fn hk_identity(number: &[u8]) -> bool {
    let Some((check, front)) = number.split_last() else { return false };
    let start: &[u32] = if front.len() == 7 { &[36] } else { &[] };
    let sum: u32 = start.iter().copied().chain(values(front)).zip((2..=9).rev()).map(|(a, b)| a * b).sum();
    let last = if *check == b'A' { 10 } else { value(&[*check], 0) };
    (sum + last).is_multiple_of(11)
}

pub(super) fn tw_identity(number: &[u8]) -> bool {
    const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVXYWZIO";
    let Some(letter) = number.first().and_then(|first| LETTERS.iter().position(|known| known == first))
    else {
        return false;
    };
    let letter = letter as u32 + 10;
    let sum = letter / 10 + letter % 10 * 9 + weighted(part(number, 1, 10), &[8, 7, 6, 5, 4, 3, 2, 1, 1]);
    sum.is_multiple_of(10) && matches!(value(number, 1), 1 | 2 | 8 | 9)
}

pub(super) fn th_identity(number: &[u8]) -> bool {
    let sum = weighted(part(number, 0, 12), &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
    value(number, 0) > 0 && (11 - sum % 11) % 10 == value(number, 12)
}

pub(super) fn au_tfn(number: &[u8]) -> bool {
    weighted(number, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11) && !is_one_digit(number)
}

pub(super) fn au_medicare(number: &[u8]) -> bool {
    matches!(value(number, 0), 2..=6)
        && weighted(part(number, 0, 8), &[1, 3, 7, 9, 1, 3, 7, 9]) % 10 == value(number, 8)
}

pub(super) fn au_abn(number: &[u8]) -> bool {
    value(number, 0) > 0
        && (weighted(number, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]) + 89 * 11 - 10).is_multiple_of(89)
}

pub(super) fn nz_ird(number: &[u8]) -> bool {
    let front = part(number, 0, number.len() - 1);
    let padded: Vec<u8> = std::iter::repeat_n(b'0', 8 - front.len()).chain(front.iter().copied()).collect();
    let check = |weights: &[u32]| (11 - weighted(&padded, weights) % 11) % 11;
    let first = check(&[3, 2, 7, 6, 5, 4, 3, 2]);
    let digit = if first == 10 { check(&[7, 4, 3, 2, 5, 2, 7, 6]) } else { first };
    (10_000_000..=150_000_000).contains(&decimal(number)) && digit == value(number, number.len() - 1)
}

/// Vehicle identification numbers (ISO 3779), with the check digit of North America.
pub(super) fn vin(number: &[u8]) -> bool {
    let transliterated = |byte: &u8| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        b'A'..=b'H' => u32::from(byte - b'A') + 1,
        b'J'..=b'R' => u32::from(byte - b'J') + 1,
        b'S'..=b'Z' => u32::from(byte - b'S') + 2,
        _ => 0,
    };
    let weights = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    let sum: u32 = number.iter().map(transliterated).zip(weights).map(|(a, b)| a * b).sum();
    let expected = if sum % 11 == 10 { b'X' } else { b'0' + (sum % 11) as u8 };
    number.get(8) == Some(&expected)
        && !number.iter().any(|byte| b"IOQ".contains(byte))
        && number.iter().filter(|byte| byte.is_ascii_alphabetic()).count() >= 3
}

/// What has no check digit.
pub(super) fn any(_: &[u8]) -> bool {
    true
}
