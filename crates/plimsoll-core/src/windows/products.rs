//! The Windows products that containers are made of: rows of data.
//!
//! Microsoft's security updates are stated of products, which have a number (`ProductID` of MSRC's CVRF documents) and a
//! name. There is no product for Nano Server: it is serviced as Server Core of the same build. Of products whose number is
//! in no document that was at hand, the name is what is known. Numbers, builds and dates:
//! <https://learn.microsoft.com/virtualization/windowscontainers/deploy-containers/base-image-lifecycle> and
//! <https://msrc.microsoft.com/update-guide>.

use super::build_of;
use crate::advisory::EndOfLife;
use crate::distros::{Distro, windows_client, windows_server, windows_server_core};

/// One product.
#[derive(Debug, PartialEq, Eq)]
pub struct Product {
    /// What it is a release of.
    pub line: Line,
    /// The release: `2022`, `20H2`.
    pub release: &'static str,
    /// The third number of its version.
    pub build: u32,
    /// MSRC's number of it; empty where only its name is known.
    pub msrc: &'static str,
    /// MSRC's name of it, for people.
    pub title: &'static str,
    /// The name of its package in an inventory, which is also CPE's name of the product.
    pub package: &'static str,
    /// The last day on which everybody has security updates for it, `YYYY-MM-DD`.
    pub supported_until: &'static str,
}

/// What products are releases of: one distribution each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Line {
    /// Windows 10 and 11.
    Client,
    /// Windows Server with the desktop.
    Server,
    /// Windows Server without it, Nano Server among them.
    ServerCore,
}

impl Line {
    /// The distribution's row.
    pub fn distro(self) -> &'static Distro {
        match self {
            Line::Client => &windows_client::DISTRO,
            Line::Server => &windows_server::DISTRO,
            Line::ServerCore => &windows_server_core::DISTRO,
        }
    }

    /// The line of an installation. `InstallationType` of the registry has no closed list, and containers' literals are
    /// documented nowhere: whatever is no client and no desktop is a core.
    pub fn of_installation(installation_type: &str) -> Line {
        match installation_type.to_ascii_lowercase().as_str() {
            "client" => Line::Client,
            "server" => Line::Server,
            _ => Line::ServerCore,
        }
    }
}

impl Product {
    /// Where its advisories stand in the database: `windows-server-core:2022`.
    pub fn namespace(&self) -> String {
        self.line.distro().namespace(self.release)
    }

    /// Its name in CPE 2.3, with a version.
    pub fn cpe(&self, version: &str) -> String {
        format!("cpe:2.3:o:microsoft:{}:{version}:*:*:*:*:*:*:*", self.package)
    }

    /// Whether a version is one of this product's: updates are stated with versions of other products by mistake.
    pub fn has_version(&self, version: &str) -> bool {
        build_of(version) == Some(self.build) && version.split('.').count() == 4
    }
}

const fn product(
    line: Line,
    release: &'static str,
    build: u32,
    msrc: &'static str,
    title: &'static str,
    package: &'static str,
    supported_until: &'static str,
) -> Product {
    Product { line, release, build, msrc, title, package, supported_until }
}

/// All products, sorted by line, then build.
pub static PRODUCTS: &[Product] = &[
    product(
        Line::Client,
        "10-1809",
        17763,
        "11569",
        "Windows 10 Version 1809 for x64-based Systems",
        "windows_10_1809",
        "2029-01-09",
    ),
    product(
        Line::Client,
        "10-1903",
        18362,
        "",
        "Windows 10 Version 1903 for x64-based Systems",
        "windows_10_1903",
        "2020-12-08",
    ),
    product(
        Line::Client,
        "10-1909",
        18363,
        "",
        "Windows 10 Version 1909 for x64-based Systems",
        "windows_10_1909",
        "2022-05-10",
    ),
    product(
        Line::Client,
        "10-2004",
        19041,
        "",
        "Windows 10 Version 2004 for x64-based Systems",
        "windows_10_2004",
        "2021-12-14",
    ),
    product(
        Line::Client,
        "10-20H2",
        19042,
        "",
        "Windows 10 Version 20H2 for x64-based Systems",
        "windows_10_20h2",
        "2023-05-09",
    ),
    product(
        Line::Client,
        "11-24H2",
        26100,
        "12390",
        "Windows 11 Version 24H2 for x64-based Systems",
        "windows_11_24h2",
        "2027-10-12",
    ),
    product(Line::Server, "2016", 14393, "10816", "Windows Server 2016", "windows_server_2016", "2027-01-12"),
    product(Line::Server, "2019", 17763, "11571", "Windows Server 2019", "windows_server_2019", "2029-01-09"),
    product(Line::Server, "2022", 20348, "11923", "Windows Server 2022", "windows_server_2022", "2031-10-14"),
    product(Line::Server, "2025", 26100, "12436", "Windows Server 2025", "windows_server_2025", "2034-10-10"),
    product(
        Line::ServerCore,
        "2016",
        14393,
        "10855",
        "Windows Server 2016 (Server Core installation)",
        "windows_server_2016",
        "2027-01-12",
    ),
    product(
        Line::ServerCore,
        "1709",
        16299,
        "",
        "Windows Server, version 1709 (Server Core Installation)",
        "windows_server_1709",
        "2019-04-09",
    ),
    product(
        Line::ServerCore,
        "1803",
        17134,
        "",
        "Windows Server, version 1803 (Server Core Installation)",
        "windows_server_1803",
        "2019-11-12",
    ),
    product(
        Line::ServerCore,
        "2019",
        17763,
        "11572",
        "Windows Server 2019 (Server Core installation)",
        "windows_server_2019",
        "2029-01-09",
    ),
    product(
        Line::ServerCore,
        "1903",
        18362,
        "",
        "Windows Server, version 1903 (Server Core installation)",
        "windows_server_1903",
        "2020-12-08",
    ),
    product(
        Line::ServerCore,
        "1909",
        18363,
        "",
        "Windows Server, version 1909 (Server Core installation)",
        "windows_server_1909",
        "2021-05-11",
    ),
    product(
        Line::ServerCore,
        "2004",
        19041,
        "",
        "Windows Server, version 2004 (Server Core installation)",
        "windows_server_2004",
        "2021-12-14",
    ),
    product(
        Line::ServerCore,
        "20H2",
        19042,
        "",
        "Windows Server, version 20H2 (Server Core Installation)",
        "windows_server_20h2",
        "2022-08-09",
    ),
    product(
        Line::ServerCore,
        "2022",
        20348,
        "11924",
        "Windows Server 2022 (Server Core installation)",
        "windows_server_2022",
        "2031-10-14",
    ),
    product(
        Line::ServerCore,
        "23H2",
        25398,
        "12244",
        "Windows Server 2022, 23H2 Edition (Server Core installation)",
        "windows_server_23h2",
        "2025-10-24",
    ),
    product(
        Line::ServerCore,
        "2025",
        26100,
        "12437",
        "Windows Server 2025 (Server Core installation)",
        "windows_server_2025",
        "2034-10-10",
    ),
];

/// The product of a build, installed in a way. Where there was never a desktop of that build, the core is meant.
pub fn of_build(build: u32, line: Line) -> Option<&'static Product> {
    let find = |line| PRODUCTS.iter().find(|row| row.build == build && row.line == line);
    find(line).or_else(|| (line == Line::Server).then(|| find(Line::ServerCore)).flatten())
}

/// The product that a document of MSRC means by a number and a name; by the name only where the number of no row is.
/// Names vary in letters and blanks.
pub fn of_msrc(id: &str, name: &str) -> Option<&'static Product> {
    let is_named = |row: &&Product| row.msrc.is_empty() && is_same(row.title, name);
    PRODUCTS
        .iter()
        .find(|row| !row.msrc.is_empty() && row.msrc == id)
        .or_else(|| PRODUCTS.iter().find(is_named))
}

/// The product whose namespace this is.
pub fn by_namespace(namespace: &str) -> Option<&'static Product> {
    let (id, release) = namespace.split_once(':')?;
    PRODUCTS.iter().find(|row| row.line.distro().id == id && row.release == release)
}

/// When a release is out of support, for a database that does not say: `windows-server-core:20H2`. Nothing is published
/// for it after that day, which would look like there being nothing to publish.
pub fn end_of_life(namespace: &str) -> Option<EndOfLife> {
    let product = by_namespace(namespace)?;
    Some(EndOfLife { date: Some(product.supported_until.to_owned()), is_over: false, extended_until: None })
}

fn is_same(a: &str, b: &str) -> bool {
    let letters = |text: &str| -> String {
        text.chars().filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect()
    };
    letters(a) == letters(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_and_unique() {
        assert!(
            PRODUCTS.windows(2).all(|pair| (pair[0].line, pair[0].build) < (pair[1].line, pair[1].build))
        );
        let mut numbers: Vec<&str> =
            PRODUCTS.iter().map(|row| row.msrc).filter(|msrc| !msrc.is_empty()).collect();
        let count = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), count);
    }

    #[test]
    fn a_build_and_an_installation_lead_to_msrcs_number() {
        for (build, installation, expected) in [
            (20348, "Server Core", "11924"),
            (20348, "Server", "11923"),
            (20348, "Nano Server", "11924"),
            (20348, "whatever comes", "11924"),
            (20348, "", "11924"),
            (17763, "Client", "11569"),
            (26100, "client", "12390"),
            (26100, "Server Core", "12437"),
            (25398, "Server", "12244"),
            (20348, "Client", "none"),
            (9600, "Server", "none"),
        ] {
            let found = of_build(build, Line::of_installation(installation));
            assert_eq!(found.map_or("none", |row| row.msrc), expected, "{build} {installation}");
        }
    }

    #[test]
    fn a_name_counts_where_no_number_is_known() {
        for (id, name, expected) in [
            ("11924", "", "2022"),
            ("1", "Windows Server, Version 20H2 (Server Core Installation)", "20H2"),
            ("1", "Windows Server, version 20h2  (server core installation)", "20H2"),
            // Its number is known, so the name alone is not enough.
            ("1", "Windows Server 2022 (Server Core installation)", ""),
            ("1", "Windows Server 2012 R2", ""),
        ] {
            assert_eq!(of_msrc(id, name).map_or("", |row| row.release), expected, "{id} {name}");
        }
    }
}
