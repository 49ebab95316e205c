//! Records that stand across the ends of windows, and documents that are none.

use std::io::BufReader;

use super::*;

/// The elements of `r` and the other fields, read in blocks of a few bytes.
fn elements(document: &str) -> Result<String, String> {
    let seen = std::cell::RefCell::new(String::new());
    each_element(
        &mut BufReader::with_capacity(3, document.as_bytes()),
        "r",
        &mut |element| *seen.borrow_mut() += &format!("{element} "),
        &mut |key, value| *seen.borrow_mut() += &format!("{key}={value} "),
    )
    .map(|()| seen.take().trim_end().to_owned())
    .map_err(|error| error.to_string().replace("cannot read the document as JSON: ", ""))
}

#[test]
fn records_are_handed_out_as_they_are_written() {
    for (document, expected) in [
        (r#"{"r": []}"#, ""),
        (
            r#" {"a" : 1.50 , "r" : [ {"b": [1, "}"]} , "\"]",-3] ,"c":null} "#,
            r#"a=1.50 {"b": [1, "}"]} "\"]" -3 c=null"#,
        ),
        (r#"{"r": [1], "r": [2]}"#, "1 2"),
        (r#"{"\u0072": [1]}"#, "1"),
    ] {
        assert_eq!(elements(document).as_deref(), Ok(expected), "{document}");
    }
}

#[test]
fn what_is_no_json_is_told_with_its_place() {
    for (document, expected) in [
        ("", "EOF while parsing a value at line 1 column 0"),
        ("<html>", "expected value at line 1 column 1"),
        ("[]", "expected an object at line 1 column 2"),
        ("{}", "the document has no `r`"),
        ("{\"r\": [\n{}\n", "EOF while parsing a list or an object at line 3 column 0"),
        ("{\"r\": [\n{}, ", "EOF while parsing a value at line 2 column 4"),
        ("{\"r\": [\n{\"a\": tru}]}", "expected ident at line 2 column 10"),
        ("{\"r\": [\n\n1 {\n\n]}", "expected `,` or `]` at line 3 column 2"),
        ("{\"r\": [1,]}", "expected value at line 1 column 10"),
        ("{\"r\": [1}}", "expected `,` or `]` at line 1 column 8"),
        ("{\"r\": {}}", "expected an array of records at line 1 column 8"),
        ("{3: 1}", "key must be a string at line 1 column 2"),
        ("{\"r\" 1}", "expected `:` at line 1 column 5"),
        ("{\"r\": [01]}", "invalid number at line 1 column 9"),
        ("{\"r\": []} {}", "trailing characters at line 1 column 10"),
    ] {
        assert_eq!(elements(document), Err(expected.to_owned()), "{document}");
    }
}

#[test]
fn windows_end_anywhere() {
    // Records of lengths that have no common divisor with the window, of every kind.
    let kinds = ["-12.5e3", "true", "\"te\\\"xt\"", "{\"a\": [null, \"\\u00e4ä\"]}", "[]"];
    let record = |n: usize| format!("[{}, {:>width$}]", n, kinds[n % kinds.len()], width = n % 97);
    let records: Vec<String> = (0..20_000).map(record).collect();
    let document = format!("[{}]", records.join(",\n"));
    assert!(document.len() > 4 * BLOCK_BYTES);
    for cut in 0..40 {
        let (mut count, blanks) = (0, " ".repeat(cut));
        each_item(&mut format!("{blanks}{document}").as_bytes(), &mut |record| {
            assert_eq!(record, records[count]);
            count += 1;
        })
        .unwrap();
        assert_eq!(count, records.len());
    }
    let numbers = vec!["1234567"; 200_000].join(",");
    let mut count = 0;
    each_item(&mut format!("[{numbers}]").as_bytes(), &mut |number| {
        assert_eq!(number, "1234567");
        count += 1;
    })
    .unwrap();
    assert_eq!(count, 200_000);
}

#[test]
fn the_size_of_a_record_is_limited() {
    for (length, is_read) in [(RECORD_BYTES_MAX, true), (RECORD_BYTES_MAX + 1, false)] {
        for document in [
            format!("[1, \"{}\"]", "x".repeat(length - 2)),
            format!("[1, \"{}\", 2]", "x".repeat(length - 2)),
            format!("[1, {}]", "1".repeat(length)),
        ] {
            let result = each_item(&mut document.as_bytes(), &mut |_| {});
            match result {
                Ok(()) => assert!(is_read, "{length}"),
                Err(error) => assert!(!is_read && error.to_string().contains("16 MiB"), "{error}"),
            }
        }
    }
}

#[test]
fn fields_hold_what_they_should_or_nothing() {
    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Record<'a> {
        #[serde(borrow)]
        text: Field<Text<'a>>,
        number: Field<f64>,
        list: Field<Vec<u8>>,
        #[serde(borrow)]
        object: Field<Object<Inner<'a>>>,
    }
    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Inner<'a> {
        #[serde(borrow)]
        text: Field<Text<'a>>,
    }
    for (record, expected) in [
        (r#"{"text": "a\n", "number": -3, "list": [1], "object": {"text": "b", "x": [{}]}}"#, "a\n -3 [1] b"),
        (r#"{"text": null, "number": null, "list": null, "object": null}"#, "- - - -"),
        ("{}", "- - - -"),
        (r#"{"text": {"a": 1}, "number": "1", "list": {"a": [2]}, "object": ["a", {}]}"#, "! ! ! !"),
        (r#"{"text": true, "number": false, "list": 1.5, "object": "a"}"#, "! ! ! !"),
        // Another shape than that of fields.
        ("3", "- - - -"),
        (r#"["a", 1, [1], {}]"#, "- - - -"),
        (r#"{"text": "a", "text": "b"}"#, "- - - -"),
    ] {
        let read: Record<'_> = read(record);
        let inner = match &read.object {
            Field::Read(Object(inner)) => inner.text.text().unwrap_or_default().to_owned(),
            other => shown(other, |_| String::new()),
        };
        let text = shown(&read.text, |text| text.0.to_string());
        let number = shown(&read.number, f64::to_string);
        let list = shown(&read.list, |list| format!("{list:?}"));
        assert_eq!([text, number, list, inner].join(" "), expected, "{record}");
    }
}

#[test]
fn a_small_document_is_a_record_or_says_why_not() {
    #[derive(Debug, Deserialize)]
    struct Record {
        n: u8,
    }
    for (document, expected) in [
        (r#" {"n": 1}"#, Ok(1)),
        (r#"{"n": "1"}"#, Err("no record")),
        ("[1]", Err("no record")),
        ("<html>", Err("no record")),
        (r#"{"n": 1"#, Err(NO_JSON)),
        (r#"{"n": 1}}"#, Err(NO_JSON)),
    ] {
        let read = read_whole(document.as_bytes(), "no record").map(|record: Record| record.n);
        assert_eq!(read, expected, "{document}");
    }
}

fn shown<T>(field: &Field<T>, show: impl Fn(&T) -> String) -> String {
    match field {
        Field::Absent => "-".to_owned(),
        Field::Read(value) => show(value),
        Field::Other => "!".to_owned(),
    }
}
