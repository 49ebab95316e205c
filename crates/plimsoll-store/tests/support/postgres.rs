//! A PostgreSQL server of our own, for tests of the second tier and for `cargo xtask bench server`.
//!
//! It ends when the pipe to its shell ends, so with the test program, however that ends; only then its folder goes too.
//! Needs nothing but the server's programs. They refuse to run as root, so root runs them as `postgres`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

/// Runs a server until its input ends. A line of input says that its folder is kept, to be started again.
const SCRIPT: &str = r#"
"$1/postgres" -D "$2/data" -c port="$3" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
    -c max_connections=200 -c lc_messages=C 2>&1 &
server=$!
read -r line && kept=yes
kill -INT $server
wait $server
[ "$kept" = yes ] || rm -rf "$2"
"#;

/// A server.
pub(crate) struct Server {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
    shell: Mutex<Option<Child>>,
}

/// The server of this test program. `None`, with a line that says so, where the second tier is not wanted or not there.
pub(crate) fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER.get_or_init(Server::start_new).as_ref()
}

impl Server {
    /// A server of its own, for who wants to stop it.
    pub(crate) fn start_new() -> Option<Server> {
        if std::env::var_os("PLIMSOLL_TIER2").is_none_or(|value| value != "1") {
            println!("skipped: needs a PostgreSQL server's programs; run with PLIMSOLL_TIER2=1");
            return None;
        }
        Server::start_here()
    }

    /// The same, whatever tier is wanted.
    pub(crate) fn start_here() -> Option<Server> {
        let Some(programs) = programs() else {
            println!("skipped: `initdb` is not installed (Debian's package `postgresql`)");
            return None;
        };
        let folder =
            tempfile::Builder::new().prefix("plimsoll-pg").tempdir().expect("a folder is made").keep();
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(&folder));
        }
        let mut initdb = as_postgres(&programs.join("initdb"));
        initdb.arg("-D").arg(folder.join("data"));
        run(initdb.args([
            "--auth=trust",
            "--username=postgres",
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
        ]));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let port = listener.local_addr().expect("it is bound").port();
        drop(listener);
        let server = Server { programs, folder, port, shell: Mutex::new(None) };
        // In the file that settings are read from last, so that somebody can have it otherwise.
        server.put("postgresql.auto.conf", b"fsync = off\n");
        server.start();
        Some(server)
    }

    /// Starts it, after [`Server::stop`].
    pub(crate) fn start(&self) {
        let mut shell = as_postgres(Path::new("sh"));
        shell
            .arg("-c")
            .arg(SCRIPT)
            .arg("sh")
            .arg(&self.programs)
            .arg(&self.folder)
            .arg(self.port.to_string());
        let shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).current_dir("/").spawn();
        let mut shell = shell.expect("there is a shell");
        let mut lines = BufReader::new(shell.stdout.take().expect("it is a pipe")).lines();
        let mut said = String::new();
        loop {
            let Some(Ok(line)) = lines.next() else { panic!("the server does not start:\n{said}") };
            if line.contains("database system is ready to accept connections") {
                break;
            }
            said.push_str(&line);
            said.push('\n');
        }
        // What it says afterwards is read away, or it would stop once the pipe is full.
        std::thread::spawn(move || lines.for_each(drop));
        *self.shell.lock().expect("nobody panicked") = Some(shell);
    }

    /// Stops it at once, cutting all connections; its data stays.
    pub(crate) fn stop(&self) {
        let shell = self.shell.lock().expect("nobody panicked").take();
        let mut shell = shell.expect("it was started");
        shell.stdin.take().expect("it is a pipe").write_all(b"\n").expect("the shell reads");
        shell.wait().expect("the shell ends");
    }

    /// Writes a file into the folder of its data, for when it is started next.
    pub(crate) fn put(&self, name: &str, content: &[u8]) {
        let (path, data) = (self.folder.join("data").join(name), self.folder.join("data"));
        std::fs::write(&path, content).expect("it is written");
        run(Command::new("chmod").arg("600").arg(&path));
        run(Command::new("chown").arg("--reference").arg(data).arg(&path));
    }

    /// A new and empty database: `postgres://..`.
    pub(crate) fn database(&self) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let mut createdb = Command::new(self.programs.join("createdb"));
        createdb.args(["-h", "127.0.0.1", "-U", "postgres", "-p", &self.port.to_string(), &name]);
        run(&mut createdb);
        format!("postgres://postgres:no-secret@127.0.0.1:{}/{name}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut shell) = self.shell.lock().expect("nobody panicked").take() {
            drop(shell.stdin.take());
            shell.wait().expect("the shell ends");
        }
    }
}

/// Where the newest server's programs are.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = versions
        .filter_map(|version| Some((version.file_name().to_str()?.parse().ok()?, version.path().join("bin"))))
        .collect();
    versions.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    let mut folders: Vec<PathBuf> = versions.into_iter().map(|(_, folder)| folder).collect();
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders.extend(std::env::split_paths(&path));
    let has_all = |folder: &PathBuf| {
        ["createdb", "initdb", "postgres"].iter().all(|program| folder.join(program).is_file())
    };
    folders.into_iter().find(has_all)
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

fn as_postgres(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
    command.current_dir("/");
    command
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
