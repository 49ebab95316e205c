//! What one newer base image would mend: hundreds of findings of an operating system are one thing to do.

use crate::finding::Finding;
use crate::inventory::Inventory;
use crate::schemes::windows::SCHEME;
use crate::windows::components::Scope;

/// What to do about the findings of the operating system itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebase {
    /// Index of its package in the inventory.
    pub package: usize,
    /// The version that has all fixes that there are: `10.0.20348.2527`.
    pub to: String,
    /// The update that brings it, where it has a name: `KB5039227`.
    pub update: Option<String>,
    /// How many findings go with it.
    pub findings: usize,
    /// Of them, those in the kernel and drivers, which are the host's.
    pub of_host_kernel: usize,
    /// Of them, those in roles that are not installed.
    pub of_roles_not_installed: usize,
    /// How many findings stay, since there is no fix yet.
    pub stay: usize,
}

/// What to do about an image's Windows; `None` where it has no finding with a fix.
pub fn rebase(inventory: &Inventory, findings: &[Finding]) -> Option<Rebase> {
    let name = inventory.windows.as_ref()?.package_name();
    let is_system = |finding: &&Finding| {
        let package = inventory.packages.get(finding.package);
        package.is_some_and(|package| package.ecosystem.is_os && package.name == name)
    };
    let own: Vec<&Finding> = findings.iter().filter(is_system).collect();
    let fixes = own.iter().filter_map(|finding| Some((*finding, finding.fixed_in.as_deref()?)));
    let fixes: Vec<(&Finding, &str)> = fixes.collect();
    let of_scope = |scope| fixes.iter().filter(|(finding, _)| finding.scope == scope).count();
    let (last, to) = fixes.iter().max_by_key(|(_, version)| (SCHEME.key)(version).unwrap_or_default())?;
    Some(Rebase {
        package: last.package,
        to: (*to).to_owned(),
        update: last.update.clone(),
        findings: fixes.len(),
        of_host_kernel: of_scope(Scope::HostKernel),
        of_roles_not_installed: of_scope(Scope::RoleNotInstalled),
        stay: own.len() - fixes.len(),
    })
}
