//! What is planned, and what either form of a document must be.

use super::super::tests::parsed_part;
use super::*;

/// An index, and the parts that are here.
struct Given(&'static str, &'static [&'static str]);

impl Index for Given {
    fn get(&mut self, path: &str) -> Result<Option<Vec<u8>>, PlanError> {
        Ok((path == INDEX && !self.0.is_empty()).then(|| self.0.as_bytes().to_vec()))
    }

    fn held(&self) -> Vec<String> {
        self.1.iter().map(|name| (*name).to_owned()).collect()
    }
}

/// The parts that are planned: `!` before one that must be there, `+` before one that stays.
fn planned(index: &'static str, held: &'static [&'static str]) -> String {
    let word = |part: Part| {
        let mark = match (part.may_be_absent, part.stays) {
            (false, _) => '!',
            (true, true) => '+',
            (true, false) => '?',
        };
        assert!(part.path == INDEX || part.name == format!("{}.json", &part.path["cvrf/".len()..]));
        format!("{mark}{}{}", part.name.trim_end_matches(".json"), part.revision.map_or("", |_| "="))
    };
    match plan(&FEED, &mut Given(index, held)) {
        Ok(parts) => parts.into_iter().map(word).collect::<Vec<_>>().join(" "),
        Err(error) => error.to_string(),
    }
}

#[test]
fn w22_months_of_the_index_and_those_around_the_newest_are_planned() {
    const LIST: &str = r#"[{"ID": "2024-Jun", "CurrentReleaseDate": "2024-06-13T07:00:00Z"}, {"ID": "x"}]"#;
    const OBJECT: &str = r#"{"value": [{"ID": "2024-Jun", "CurrentReleaseDate": "2024-06-13T07:00:00Z"}]}"#;
    const AROUND: &str = "!updates !2024-Jun= +2024-Apr +2024-May +2024-Jul +2024-Aug +2024-Sep";
    for (index, held, expected) in [
        (LIST, &[][..], AROUND),
        (OBJECT, &[], AROUND),
        (OBJECT, &["updates.json", "2024-Jun.json", "other.json"], AROUND),
        (
            r#"[{"ID": "2024-Jun"}, {"ID": "2016-Apr", "CurrentReleaseDate": "soon"}]"#,
            &[],
            "!updates !2016-Apr !2024-Jun +2024-Apr +2024-May +2024-Jul +2024-Aug +2024-Sep",
        ),
        // What is here is newer than the index, and older than what is asked for anyway.
        (
            OBJECT,
            &["2024-Jul.json", "2019-Jan.json"],
            "!updates !2024-Jun= +2019-Jan +2024-May +2024-Jul +2024-Aug +2024-Sep +2024-Oct",
        ),
        ("[]", &["2024-Jan.json"], "!updates +2023-Nov +2023-Dec +2024-Jan +2024-Feb +2024-Mar +2024-Apr"),
        ("[]", &[], "`updates` names no month"),
        ("", &[], "there is no `updates`"),
        ("<html>", &[], "`updates`: it is not JSON"),
        (r#"{"value": 3}"#, &[], "`updates`: its `value` is not a list"),
        ("3", &[], "`updates`: it is not a list of documents"),
    ] {
        assert_eq!(planned(index, held), expected, "{index} {held:?}");
    }
}

#[test]
fn a_document_that_is_cut_short_is_no_part_in_either_form() {
    let part = Part::new("2024-Jun.json", "cvrf/2024-Jun");
    let json = br#"{"Vulnerability": [{"CVE": "CVE-2024-0001"}]}"#;
    let xml = b"<?xml version='1.0'?><a:cvrfdoc><b:Vulnerability><b:CVE>CVE-2024-0001</b:CVE></b:Vulnerability></a:cvrfdoc>";
    for whole in [&json[..], &xml[..]] {
        assert!(parsed_part("msrc", &part, whole).0.is_ok());
        let marked = [b"\xef\xbb\xbf", whole].concat();
        assert_eq!(parsed_part("msrc", &part, &marked).1, parsed_part("msrc", &part, whole).1);
        assert!(parsed_part("msrc", &part, &marked).0.is_ok());
        for length in [0, 1, whole.len() / 2, whole.len() - 1] {
            assert!(parsed_part("msrc", &part, &whole[..length]).0.is_err(), "cut to {length}");
        }
    }
    for other in ["<html></html>", "<!-- nothing -->", "<oval_definitions/>"] {
        assert!(parsed_part("msrc", &part, other.as_bytes()).0.is_err(), "{other}");
    }
}

#[test]
fn w22_an_index_of_another_shape_is_no_part() {
    let part = Part::new(INDEX_PART, INDEX);
    for other in ["", "{}", "3", "<html></html>"] {
        assert!(parsed_part("msrc", &part, other.as_bytes()).0.is_err(), "{other}");
    }
    assert!(parsed_part("msrc", &part, b"[]").0.is_ok());
}

/// Both forms of a document say the same.
#[test]
fn w22_forms_do_not_differ() {
    let json = br#"{
        "ProductTree": {"FullProductName": [{"ProductID": "11924", "Value": "Windows Server 2022"}]},
        "Vulnerability": [{"CVE": "CVE-2024-0001", "Title": {"Value": "one"},
            "Notes": [{"Type": 7, "Value": "Kernel"}],
            "ProductStatuses": [{"Type": 3, "ProductID": ["11924"]}],
            "Threats": [{"Type": 3, "Description": {"Value": "Low"}, "ProductID": ["11924"]}],
            "Remediations": [{"Type": 2, "Description": {"Value": "5039227"}, "FixedBuild": "10.0.20348.2527",
                "ProductID": ["11924"]}]}]}"#;
    let xml = b"<cvrfdoc><FullProductName ProductID='11924'>Windows Server 2022</FullProductName>
        <Vulnerability><Title>one</Title><CVE>CVE-2024-0001</CVE><Notes><Note Type='Tag'>Kernel</Note></Notes>
        <Status Type='Known Affected'><ProductID>11924</ProductID></Status>
        <Threat Type='Severity'><Description>Low</Description><ProductID>11924</ProductID></Threat>
        <Remediation Type='Vendor Fix'><Description>5039227</Description><FixedBuild>10.0.20348.2527</FixedBuild>
        <ProductID>11924</ProductID></Remediation></Vulnerability></cvrfdoc>";
    let part = Part::new("2024-Jun.json", "cvrf/2024-Jun");
    let (of_json, of_xml) = (parsed_part("msrc", &part, json).1, parsed_part("msrc", &part, xml).1);
    assert!(of_json.contains("10.0.20348.2527 fixed) severity low"), "{of_json}");
    assert_eq!(of_json, of_xml);
}
