//! What part of Windows a flaw is in, and whether a container has it: rows of data.
//!
//! Microsoft says of each flaw which component has it (a note of the type `Tag` in MSRC's documents), and of whole products
//! whether they are affected. A container has less than its product: it runs on the kernel and the drivers of its host,
//! and most roles are not installed. Such a flaw is reported all the same, since the image lacks the update, and says so.

/// Where a flaw of a package does harm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// In what the image brings.
    #[default]
    Image,
    /// In the kernel, the drivers or the firmware, which are the host's while the image is run in process isolation.
    HostKernel,
    /// In a role or feature of which the image has no evidence.
    RoleNotInstalled,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Scope; 3] = [Scope::Image, Scope::HostKernel, Scope::RoleNotInstalled];

    /// Name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Scope::Image => "image",
            Scope::HostKernel => "host-kernel",
            Scope::RoleNotInstalled => "role-not-installed",
        }
    }
}

/// A role or a feature that can be installed, and what shows it.
#[derive(Debug)]
pub struct FeatureRow {
    /// Name, kebab-case.
    pub name: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// Files any of which shows that it is installed: below `C:\`, lower-case, with `/`.
    pub files: &'static [&'static str],
    /// MSRC's components that only do harm where it is installed, lower-case.
    pub components: &'static [&'static str],
}

/// All roles and features whose absence can be shown, sorted by name.
pub static FEATURES: &[FeatureRow] = &[
    FeatureRow {
        name: "active-directory",
        title: "Active Directory Domain Services",
        files: &["windows/system32/ntdsai.dll"],
        components: &["active directory domain services", "role: active directory"],
    },
    FeatureRow {
        name: "dhcp-server",
        title: "DHCP Server",
        files: &["windows/system32/dhcpssvc.dll"],
        components: &["windows dhcp server", "role: dhcp server"],
    },
    FeatureRow {
        name: "dns-server",
        title: "DNS Server",
        files: &["windows/system32/dns.exe"],
        components: &["role: dns server"],
    },
    FeatureRow {
        name: "hyper-v",
        title: "Hyper-V",
        files: &["windows/system32/vmms.exe"],
        components: &["windows hyper-v", "role: windows hyper-v", "role: hyper-v"],
    },
    FeatureRow {
        name: "iis",
        title: "Internet Information Services",
        files: &["windows/system32/inetsrv/w3wp.exe"],
        components: &["windows iis", "microsoft iis"],
    },
    FeatureRow {
        name: "message-queuing",
        title: "Message Queuing (MSMQ)",
        files: &["windows/system32/mqsvc.exe"],
        components: &["windows message queuing", "microsoft message queuing"],
    },
    FeatureRow {
        name: "print-spooler",
        title: "Print Spooler",
        files: &["windows/system32/spoolsv.exe"],
        components: &["windows print spooler components", "windows print spooler"],
    },
];

/// MSRC's components that are the host's, lower-case, sorted.
static HOST_COMPONENTS: &[&str] = &[
    "common log file system driver",
    "graphics kernel",
    "microsoft bluetooth driver",
    "windows ancillary function driver for winsock",
    "windows bitlocker",
    "windows boot manager",
    "windows cloud files mini filter driver",
    "windows common log file system driver",
    "windows fast fat driver",
    "windows http.sys",
    "windows kernel",
    "windows kernel memory",
    "windows kernel-mode drivers",
    "windows ndis",
    "windows nt os kernel",
    "windows ntfs",
    "windows overlay filter",
    "windows projected file system filter driver",
    "windows resilient file system (refs)",
    "windows secure boot",
    "windows secure kernel mode",
    "windows storage spaces controller",
    "windows tcp/ip",
    "windows usb video driver",
    "windows virtualization-based security (vbs) enclave",
    "windows win32 kernel subsystem",
    "windows win32k",
    "windows win32k - grfx",
    "windows win32k - icomp",
];

/// Where a flaw in a component of MSRC's does harm. `has_feature` says whether there is evidence of a feature, and
/// `is_whole` whether all of the image was seen, so that what there is no evidence of is not there.
pub fn scope_of(component: &str, has_feature: impl Fn(&str) -> bool, is_whole: bool) -> Scope {
    let component = component.trim().to_ascii_lowercase();
    if HOST_COMPONENTS.binary_search(&component.as_str()).is_ok() {
        return Scope::HostKernel;
    }
    let row = FEATURES.iter().find(|row| row.components.contains(&component.as_str()));
    match row {
        Some(row) if is_whole && !has_feature(row.name) => Scope::RoleNotInstalled,
        _ => Scope::Image,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted() {
        assert!(FEATURES.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert!(HOST_COMPONENTS.windows(2).all(|pair| pair[0] < pair[1]));
        let lower = |text: &&str| text.to_ascii_lowercase() == **text;
        assert!(FEATURES.iter().all(|row| row.files.iter().chain(row.components).all(lower)));
    }

    #[test]
    fn a_role_is_absent_only_where_all_was_seen() {
        for (component, has, is_whole, expected) in [
            ("Windows Kernel", false, true, Scope::HostKernel),
            ("Windows Kernel", false, false, Scope::HostKernel),
            ("Windows Message Queuing", false, true, Scope::RoleNotInstalled),
            ("Windows Message Queuing", false, false, Scope::Image),
            ("Windows Message Queuing", true, true, Scope::Image),
            ("Windows Shell", false, true, Scope::Image),
            ("", false, true, Scope::Image),
        ] {
            assert_eq!(scope_of(component, |_| has, is_whole), expected, "{component} {has} {is_whole}");
        }
    }
}
