//! What the product ids of a document mean: `AppStream-9.4.0.Z.MAIN.EUS:sudo-0:1.9.5p2-10.el9_3.x86_64` is a build of
//! sudo as a component of a stream of Red Hat Enterprise Linux 9.
//!
//! An id is never taken apart where the document says what it is made of: `relationships` name component and
//! product, and each of them has a CPE or a purl. What surprises:
//! - a build of a module is a component of the module, which is a component of the product;
//! - components of old documents have no purl, and are then source packages, `nodejs:18/nodejs` in a module;
//! - newer documents list binary packages too, which have a purl without an architecture where the source package has
//!   `arch=src`.

use std::collections::HashMap;

use super::document::{Branch, Document, Helper};

/// Oldest major release that is read.
const MAJOR_MIN: u32 = 6;

/// Longest chain of a component in a module in a product.
const CHAIN_MAX: usize = 4;

/// Most branches within branches that are walked; JSON of this depth is not read anyway.
const DEPTH_MAX: usize = 64;

/// CPE product of the stream that a major release ends with.
const LAST: &str = "rhel_els";

/// CPE products of the streams that live longer than a minor release does.
const EXTENDED: [&str; 7] =
    ["rhel_aus", "rhel_e4s", LAST, "rhel_eus", "rhel_eus_long_life", "rhel_mission_critical", "rhel_tus"];

/// A product that packages are components of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Platform {
    /// The stream that everybody gets.
    Main { major: u32 },
    /// One that is sold: of a minor release, or the last of all.
    Extended { major: u32, is_last: bool },
    /// Something else.
    Layered,
}

impl Platform {
    /// Reads a CPE 2.2 URI: `cpe:/a:redhat:enterprise_linux:9::appstream`.
    fn of_cpe(cpe: &str) -> Platform {
        let Some(rest) = cpe.strip_prefix("cpe:/o:redhat:").or_else(|| cpe.strip_prefix("cpe:/a:redhat:"))
        else {
            return Platform::Layered;
        };
        let mut fields = rest.split(':');
        let (product, version) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        let mut numbers = version.split('.');
        let major = numbers.next().and_then(|number| number.parse().ok()).filter(|major| *major >= MAJOR_MIN);
        match major {
            Some(major) if product == "enterprise_linux" => Platform::Main { major },
            Some(major) if EXTENDED.contains(&product) => {
                Platform::Extended { major, is_last: product == LAST }
            }
            _ => Platform::Layered,
        }
    }

    /// The major release of Red Hat Enterprise Linux that it is, or is a stream of.
    pub(super) fn major(self) -> Option<u32> {
        match self {
            Platform::Main { major } | Platform::Extended { major, .. } => Some(major),
            Platform::Layered => None,
        }
    }
}

/// What a component is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A source package.
    Source,
    /// A package built from one.
    Binary,
    /// A name without a purl, or with one that does not say: a source package, if no other of its product is told to
    /// be one.
    Unsaid,
}

/// An rpm package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Component<'d> {
    pub(super) name: &'d str,
    /// Version and release; empty where all are meant. Percent-encoded as in the purl.
    pub(super) version: &'d str,
    pub(super) epoch: &'d str,
    pub(super) kind: Kind,
    /// Module and stream, perhaps with more fields after them; empty for none.
    pub(super) module: &'d str,
}

/// A component of a product.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resolved<'d> {
    pub(super) platform: Platform,
    /// Id of the product.
    pub(super) product: &'d str,
    /// `None` for what is no rpm package: a container image, a Java library.
    pub(super) component: Option<Component<'d>>,
}

/// What the ids of a document mean.
pub(super) struct Products<'d> {
    helpers: HashMap<&'d str, &'d Helper<'d>>,
    /// Component and product of what is a component of a product.
    relationships: HashMap<&'d str, (&'d str, &'d str)>,
}

impl<'d> Products<'d> {
    pub(super) fn of(document: &'d Document<'d>) -> Products<'d> {
        let tree = &document.product_tree;
        let mut products = Products {
            helpers: HashMap::new(),
            relationships: HashMap::with_capacity(tree.relationships.len()),
        };
        let mut left: Vec<(&'d Branch<'d>, usize)> = tree.branches.iter().map(|branch| (branch, 0)).collect();
        while let Some((branch, depth)) = left.pop() {
            if let Some(product) = &branch.product {
                products.helpers.insert(&product.product_id.0, &product.product_identification_helper);
            }
            if depth < DEPTH_MAX {
                left.extend(branch.branches.iter().map(|branch| (branch, depth + 1)));
            }
        }
        for one in &tree.relationships {
            let parts = (&*one.product_reference.0, &*one.relates_to_product_reference.0);
            products.relationships.insert(&one.full_product_name.product_id.0, parts);
        }
        products
    }

    /// What an id means; `None` where the document does not say.
    pub(super) fn resolve(&self, id: &str) -> Option<Resolved<'d>> {
        let Some((reference, mut product)) = self.relationships.get(id).copied() else {
            // A product as a whole, such as one that is no distribution.
            let (id, helper) = self.helpers.get_key_value(id)?;
            return Some(Resolved {
                platform: Platform::of_cpe(&helper.cpe.0),
                product: id,
                component: None,
            });
        };
        let mut module = "";
        for _ in 0..CHAIN_MAX {
            let Some((inner, outer)) = self.relationships.get(product).copied() else { break };
            (module, product) = (inner, outer);
        }
        let platform = Platform::of_cpe(&self.helpers.get(product)?.cpe.0);
        let purl = self.helpers.get(reference).map_or("", |helper| &*helper.purl.0);
        let component = match purl {
            "" => unsaid(reference),
            purl => of_purl(purl),
        };
        let component = component.map(|component| match component.module {
            "" => Component { module: module_of(module), ..component },
            _ => component,
        });
        Some(Resolved { platform, product, component })
    }
}

/// The module that an id of one is of. They have no dots before their stream: `nodejs:20:8090020231019152822:a75119d5`.
fn module_of(id: &str) -> &str {
    if id.contains(':') { id } else { "" }
}

/// A component without a purl: `vim`, `nodejs:18/nodejs`, or a build. Container images and Java libraries have a slash
/// too, and no colon before it.
fn unsaid(id: &str) -> Option<Component<'_>> {
    if let Some(build) = of_build(id) {
        return Some(build);
    }
    let (module, name) = id.rsplit_once('/').unwrap_or(("", id));
    if !module.is_empty() && (!module.contains(':') || module.contains('/')) {
        return None;
    }
    // What has a colon here is a module as a whole.
    (!name.contains(':')).then_some(Component { name, version: "", epoch: "", kind: Kind::Unsaid, module })
}

/// Reads `ruby-0:3.1.4-142.module+el8.9.0+21471+7d1e4a35.src::ruby:3.1`, a build as its id writes it.
fn of_build(id: &str) -> Option<Component<'_>> {
    let (build, module) = id.split_once("::").unwrap_or((id, ""));
    let (start, rest) = build.split_once(':')?;
    let (name, epoch) = start.rsplit_once('-')?;
    let (version, architecture) = rest.rsplit_once('.')?;
    let is_build = !epoch.is_empty() && epoch.bytes().all(|b| b.is_ascii_digit()) && version.contains('-');
    let kind = if architecture == "src" { Kind::Source } else { Kind::Binary };
    is_build.then_some(Component { name, version, epoch, kind, module })
}

/// Reads `pkg:rpm/redhat/foo@1.2-3.el9?arch=src&epoch=1&rpmmod=nodejs:18:8090:a75119d5`.
fn of_purl(purl: &str) -> Option<Component<'_>> {
    let rest = purl.strip_prefix("pkg:rpm/redhat/")?;
    let (path, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
    let (name, version) = path.split_once('@').unwrap_or((path, ""));
    let qualifier = |name: &str| {
        let mut pairs = qualifiers.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    };
    let kind = match qualifier("arch") {
        "src" => Kind::Source,
        "" if version.is_empty() => Kind::Unsaid,
        _ => Kind::Binary,
    };
    Some(Component { name, version, epoch: qualifier("epoch"), kind, module: qualifier("rpmmod") })
}

/// Undoes percent-encoding (purl specification, "Character encoding").
pub(super) fn decoded(text: &str) -> String {
    let mut pieces = text.split('%');
    let mut out: Vec<u8> = pieces.next().unwrap_or_default().into();
    for piece in pieces {
        let byte = piece.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte {
            Some(byte) => {
                out.push(byte);
                out.extend_from_slice(piece.get(2..).unwrap_or_default().as_bytes());
            }
            None => {
                out.push(b'%');
                out.extend_from_slice(piece.as_bytes());
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
