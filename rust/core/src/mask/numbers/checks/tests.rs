use super::*;

/// Numbers that the issuers publish as samples, or that follow their published rules; each is spoilt in its last place
/// as well.
#[test]
fn samples_pass_and_spoilt_ones_do_not() {
    type Check = fn(&[u8]) -> bool;
    let samples: [(&str, Check, &str); 46] = [
        ("luhn", luhn, "79927398713"),
        ("iban", iban, "GB29NWBK60161331926819"),
        ("iban", iban, "DE89370400440532013000"),
        ("card", card, "4111111111111111"),
        ("card", card, "378282246310005"),
        ("card", card, "30569309025904"),
        ("card", card, "630427373398"),
        ("aba", aba, "121042882"),
        ("us_npi", us_npi, "1234567893"),
        ("us_dea", us_dea, "BB1388568"),
        ("ca_sin", ca_sin, "130692544"),
        ("br_cpf", br_cpf, "11144477735"),
        ("br_cnpj", br_cnpj, "11222333000181"),
        ("ar_cuit", ar_cuit, "20267565393"),
        ("cl_rut", cl_rut, "125319092"),
        ("uk_nhs", uk_nhs, "9434765919"),
        ("de_tax_id", de_tax_id, "12345678903"),
        ("de_pension", de_pension, "15070649C103"),
        ("icao", icao, "L898902C36"),
        ("fr_nir", fr_nir, "295109912611193"),
        ("fr_nir", fr_nir, "253072B07300470"),
        ("it_fiscal_code", it_fiscal_code, "RCCMNL83S18D969H"),
        ("es_nif", es_nif, "12345678Z"),
        ("es_nie", es_nie, "Y8063915Z"),
        ("pt_nif", pt_nif, "501964843"),
        ("nl_bsn", nl_bsn, "111222333"),
        ("be_nrn", be_nrn, "85073003328"),
        ("ch_ahv", ch_ahv, "7569217076985"),
        ("at_svnr", at_svnr, "1237010180"),
        ("se_personal", se_personal, "8803200016"),
        ("no_birth_number", no_birth_number, "15108695088"),
        ("fi_hetu", fi_hetu, "131052308T"),
        ("pl_pesel", pl_pesel, "44051401359"),
        ("cz_birth_number", cz_birth_number, "7103192745"),
        ("ro_cnp", ro_cnp, "1800101221144"),
        ("bg_egn", bg_egn, "7523169263"),
        ("hr_oib", hr_oib, "33392005961"),
        ("ie_pps", ie_pps, "6433435F"),
        ("tr_identity", tr_identity, "10000000146"),
        ("za_identity", za_identity, "8001015000086"),
        ("in_aadhaar", in_aadhaar, "399876543211"),
        ("cn_identity", cn_identity, "11010519491231002X"),
        ("sg_nric", sg_nric, "S2740116C"),
        ("tw_identity", tw_identity, "A123456789"),
        ("au_tfn", au_tfn, "123456782"),
        ("au_abn", au_abn, "51824753556"),
    ];
    for (name, check, sample) in samples {
        assert!(check(sample.as_bytes()), "{name}: {sample}");
        let mut spoilt = sample.as_bytes().to_vec();
        let Some(last) = spoilt.last_mut() else { continue };
        *last = match *last {
            b'9' => b'0',
            b'X' | b'Z' => b'A',
            other => other + 1,
        };
        assert!(!check(&spoilt), "{name}: {}", String::from_utf8_lossy(&spoilt));
    }
}

#[test]
fn what_cannot_be_is_refused() {
    for number in ["000121234", "666121234", "900121234", "123001234", "123120000", "078051120", "111111111"]
    {
        assert!(!us_ssn(number.as_bytes()), "{number}");
    }
    assert!(us_ssn(b"536221234"));
    assert!(us_itin(b"911531234") && !us_itin(b"911891234"));
    assert!(uk_nino(b"AB123456C") && !uk_nino(b"BG123456C") && !uk_nino(b"AB123456E"));
    assert!(!luhn(b"0000000000000000"));
}

#[test]
fn no_check_fails_on_any_number() {
    let numbers = ["", "0", "X", "00000000000000000000", "ZZZZZZZZZZZZZZZZZZZZ", "9X9X9X9X9X9X9X9X9"];
    for row in super::super::table::ROWS {
        let fitting: String = row.pattern.chars().map(|sign| if sign == 'A' { 'Q' } else { '9' }).collect();
        let letters: String = row.pattern.chars().map(|sign| if sign == '9' { '0' } else { 'Z' }).collect();
        let _ = [(row.check)(fitting.as_bytes()), (row.check)(letters.as_bytes())];
    }
    assert!(numbers.iter().all(|number| !luhn(number.as_bytes()) || number.len() < 2));
}
