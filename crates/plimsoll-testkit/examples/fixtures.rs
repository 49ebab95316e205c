//! Writes the binary fixtures of the Windows catalogers anew: `cargo run -p plimsoll-testkit --example fixtures -- FOLDER`,
//! where the folder is `crates/plimsoll-image/testdata/catalogers`.

use std::fs;
use std::path::Path;

use plimsoll_testkit::hive::{Hive, Lists, Semantics};
use plimsoll_testkit::pe;

const CURRENT: &str = r"Microsoft\Windows NT\CurrentVersion";
const PACKAGES: &str = r"Microsoft\Windows\CurrentVersion\Component Based Servicing\Packages";
const UNINSTALL: &str = r"Microsoft\Windows\CurrentVersion\Uninstall";

fn main() {
    let folder = std::env::args().nth(1).expect("name the folder");
    let write = |path: &str, bytes: &[u8]| {
        let path = Path::new(&folder).join(path);
        fs::create_dir_all(path.parent().expect("it has one")).expect("the folder can be made");
        fs::write(path, bytes).expect("the folder can be written");
    };
    let base = Hive::base()
        .value(CURRENT, "CurrentBuild", "20348")
        .value(CURRENT, "UBR", 2402_u32)
        .value(CURRENT, "InstallationType", "Server Core")
        .value(CURRENT, "ProductName", "is not read")
        .value(
            &format!(r"{PACKAGES}\Package_for_KB5036909~31bf3856ad364e35~amd64~~10.0.1.1"),
            "CurrentState",
            0x70_u32,
        )
        .value(
            &format!(r"{PACKAGES}\Microsoft-Is-Not-Read~31bf3856ad364e35~amd64~~10.0.1.1"),
            "CurrentState",
            0x70_u32,
        )
        .value(&format!(r"{UNINSTALL}\Tool"), "DisplayName", "Tool")
        .value(r"Microsoft\NET Framework Setup\NDP\v4\Full", "Release", 528_449_u32);
    let delta = Hive::differencing()
        .lists(Lists::Fast)
        .value(CURRENT, "UBR", 2527_u32)
        .tombstone_value(CURRENT, "DisplayVersion")
        .tombstone_key(&format!(r"{UNINSTALL}\Tool"))
        .semantics(PACKAGES, Semantics::SupersedeTree);
    let user = Hive::base().value(&format!(r"Software\{UNINSTALL}\Own"), "DisplayName", "Own tool");
    write("windows-registry/usual/Windows/System32/config/SOFTWARE", &base.build());
    write("windows-registry/usual/Hives/Software_Delta", &delta.build());
    write("windows-registry/usual/Users/ContainerAdministrator/NTUSER.DAT", &user.build());
    write(
        "windows-registry/old/Windows/System32/config/SOFTWARE",
        &base.clone().minor(3).lists(Lists::Root).dirty().build(),
    );
    write("windows-registry/damaged/Windows/System32/config/SOFTWARE", b"not a hive");
    let mut cut = base.build();
    cut.truncate(4096 + 600);
    write("windows-registry/damaged/Hives/Software_Delta", &cut);
    let clr = "Windows/Microsoft.NET/Framework64/v4.0.30319/clr.dll";
    write(&format!("windows-file/usual/{clr}"), &pe::with_version("4.8.4584.8"));
    write("windows-file/usual/Program Files/PowerShell/7/pwsh.dll", &pe::with_version("7.4.1.500"));
    write(&format!("windows-file/damaged/{clr}"), &pe::with_version("4.8.4584.8")[..0x210]);
    write("windows-file/damaged/opt/microsoft/powershell/7/pwsh.dll", b"no program");
}
