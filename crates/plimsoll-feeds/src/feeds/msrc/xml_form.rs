//! A document as XML: element by element, kinds being words.

use std::io::BufRead;

use super::super::ParseError;
use super::super::oval::xml::{Next, Xml};
use super::document::{Fix, Item, Vulnerability, instant, one_line};

/// How much of a text is read, in characters.
const TEXT_CHARS_MAX: usize = 64 << 10;

/// How much of an id, a word or a build is read, in characters.
const WORD_CHARS_MAX: usize = 512;

/// Hands out what the document states.
pub(super) fn read<R: BufRead>(source: R, on_item: &mut dyn FnMut(Item)) -> Result<(), ParseError> {
    let none = || ParseError("it is not a CVRF document".to_owned());
    let (mut xml, mut has_root) = (Xml::new(source), false);
    loop {
        match xml.next()? {
            Next::Open if xml.depth() == 1 && xml.name() != "cvrfdoc" => return Err(none()),
            Next::Open if xml.depth() == 1 => has_root = true,
            Next::Open => match xml.name() {
                "FullProductName" => {
                    let id = xml.attribute("ProductID").unwrap_or_default();
                    on_item(Item::Product { id, name: one_line(&xml.content(WORD_CHARS_MAX)?) });
                }
                // Of the document: a flaw's elements are read below.
                "CurrentReleaseDate" => {
                    let date = instant(&xml.content(WORD_CHARS_MAX)?);
                    date.into_iter().for_each(|date| on_item(Item::Date(date)));
                }
                "Vulnerability" => on_item(Item::Vulnerability(vulnerability(&mut xml)?)),
                "DocumentNotes" => xml.skip()?,
                _ => {}
            },
            Next::End if has_root => return Ok(()),
            Next::End => return Err(none()),
            _ => {}
        }
    }
}

fn vulnerability<R: BufRead>(xml: &mut Xml<R>) -> Result<Vulnerability, ParseError> {
    let mut read = Vulnerability::default();
    let outer = xml.depth();
    loop {
        match xml.next()? {
            Next::Close if xml.depth() < outer => return Ok(read),
            Next::Open => match xml.name() {
                "CVE" => read.id = xml.content(WORD_CHARS_MAX)?,
                "Title" => read.title = one_line(&xml.content(TEXT_CHARS_MAX)?),
                "Date" => read.dates.extend(instant(&xml.content(WORD_CHARS_MAX)?)),
                "Note" => {
                    let kind = kind(xml);
                    read.note(&kind, &xml.content(TEXT_CHARS_MAX)?);
                }
                "Status" => {
                    let (kind, fields) = (kind(xml), Fields::read(xml)?);
                    read.status(&kind, fields.products);
                }
                "Threat" => {
                    let (kind, fields) = (kind(xml), Fields::read(xml)?);
                    read.threat(&kind, &fields.description, fields.products);
                }
                "ScoreSet" => {
                    let fields = Fields::read(xml)?;
                    read.vector(&fields.vector, fields.products);
                }
                "Remediation" => {
                    let (kind, fields) = (kind(xml), Fields::read(xml)?);
                    let Fields { description, sub_type, fixed_build, products, .. } = fields;
                    read.remediation(
                        &kind,
                        Fix { name: description, kind: sub_type, build: fixed_build, products },
                    );
                }
                _ => {}
            },
            _ => {}
        }
    }
}

fn kind<R: BufRead>(xml: &Xml<R>) -> String {
    xml.attribute("Type").unwrap_or_default()
}

/// What stands in the elements below a flaw's.
#[derive(Default)]
struct Fields {
    description: String,
    sub_type: String,
    fixed_build: String,
    vector: String,
    products: Vec<String>,
}

impl Fields {
    /// Reads to the end of the element that was opened last.
    fn read<R: BufRead>(xml: &mut Xml<R>) -> Result<Fields, ParseError> {
        let mut fields = Fields::default();
        let outer = xml.depth();
        loop {
            match xml.next()? {
                Next::Close if xml.depth() < outer => return Ok(fields),
                Next::Open => match xml.name() {
                    "Description" => fields.description = xml.content(TEXT_CHARS_MAX)?,
                    "SubType" => fields.sub_type = xml.content(WORD_CHARS_MAX)?,
                    "FixedBuild" => fields.fixed_build = xml.content(WORD_CHARS_MAX)?,
                    "Vector" => fields.vector = xml.content(WORD_CHARS_MAX)?,
                    "ProductID" => fields.products.push(xml.content(WORD_CHARS_MAX)?),
                    _ => {}
                },
                _ => {}
            }
        }
    }
}
