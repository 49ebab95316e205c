//! Paths in the layers of Windows images, which are laid out otherwise than those of all other images
//! (<https://github.com/microsoft/hcsshim>, `internal/wclayer/legacy.go`): `Files` is `C:\`, `Hives` has what a layer changes
//! in the registry, and `UtilityVM` is a second operating system, of the virtual machine that a container may run in.
//!
//! Windows does not tell `System32` from `system32`, and layers spell a name now one way, now the other. What a layer is of
//! cannot be told from it: an image for Linux may have a directory `/Files` too.

/// What is below `C:\`, if a layer's path is: `Windows/System32` of `Files/Windows/System32`. Empty for the drive itself.
pub fn below_drive(path: &str) -> Option<&str> {
    below(path, "files")
}

/// Whether a layer's path is below one of the directories that Windows layers have.
pub fn is_of_windows_layer(path: &str) -> bool {
    ["files", "hives", "utilityvm"].iter().any(|top| below(path, top).is_some())
}

/// Whether a layer's path is one whose content says nothing of a Windows image: the second operating system; the store of all
/// versions of all components that were ever installed; compiled copies of assemblies; alternate data streams, which stand as
/// `name:stream` beside their files.
pub fn says_nothing(path: &str) -> bool {
    if below(path, "utilityvm").is_some() {
        return true;
    }
    let Some(path) = below_drive(path) else { return false };
    path.contains(':') || below(path, "windows/winsxs").is_some() || is_native_image(path)
}

/// `Windows/assembly/NativeImages_v4.0.30319_64/..`.
fn is_native_image(path: &str) -> bool {
    const START: &str = "nativeimages";
    below(path, "windows/assembly")
        .and_then(|rest| rest.get(..START.len()))
        .is_some_and(|start| start.eq_ignore_ascii_case(START))
}

/// The path below a directory, which is lower-case here and in any case there.
fn below<'p>(path: &'p str, directory: &str) -> Option<&'p str> {
    let start = path.get(..directory.len()).filter(|start| start.eq_ignore_ascii_case(directory))?;
    let rest = path.get(start.len()..)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_is_what_a_windows_layer_has_there() {
        for (path, drive, is_of_windows, is_silent) in [
            ("Files", Some(""), true, false),
            ("Files/Windows/System32/config/SOFTWARE", Some("Windows/System32/config/SOFTWARE"), true, false),
            ("fIlEs/é/b", Some("é/b"), true, false),
            ("Hives/Software_Delta", None, true, false),
            ("UtilityVM/Files/Windows/System32/config/SOFTWARE", None, true, true),
            ("utilityvm", None, true, true),
            ("Files/Windows/WinSxS/amd64_x/y.exe", Some("Windows/WinSxS/amd64_x/y.exe"), true, true),
            ("files/WINDOWS/winsxs/x", Some("WINDOWS/winsxs/x"), true, true),
            ("Files/Windows/WinSxSx/y", Some("Windows/WinSxSx/y"), true, false),
            (
                "Files/Windows/assembly/NativeImages_v4/x.dll",
                Some("Windows/assembly/NativeImages_v4/x.dll"),
                true,
                true,
            ),
            ("Files/Windows/assembly/GAC/x.dll", Some("Windows/assembly/GAC/x.dll"), true, false),
            ("Files/a.txt:Zone.Identifier", Some("a.txt:Zone.Identifier"), true, true),
            ("Hives/a:b", None, true, false),
            ("Files2/a", None, false, false),
            ("etc/Files/a:b", None, false, false),
            ("é", None, false, false),
            ("", None, false, false),
        ] {
            assert_eq!(below_drive(path), drive, "{path}");
            assert_eq!(is_of_windows_layer(path), is_of_windows, "{path}");
            assert_eq!(says_nothing(path), is_silent, "{path}");
        }
    }
}
