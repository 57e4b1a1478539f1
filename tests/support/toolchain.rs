//! Programs in other languages that the tests run: where their toolchain is installed they are built once, into a cache
//! keyed by their sources; where it is not, the reason is given.

use std::collections::hash_map::DefaultHasher;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Why a program cannot be had here, in a few words.
pub type Missing = String;

/// A virtual environment with the pinned packages; gives its interpreter.
pub fn python(requirements: &Path) -> Result<PathBuf, Missing> {
    let venv = built("python", &[requirements], |to| {
        run(Command::new("python3").args(["-m", "venv"]).arg(to))?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
        run(Command::new(to.join("bin/python")).args(pip).arg(requirements))
    })?;
    Ok(venv.join("bin/python"))
}

/// The binary of a Go module.
pub fn go(module: &Path) -> Result<PathBuf, Missing> {
    let sources = ["main.go", "go.mod", "go.sum"].map(|file| module.join(file));
    let name = module.file_name().and_then(OsStr::to_str).expect("a module's folder has a name");
    let dir = built(&format!("go-{name}"), &sources.each_ref().map(PathBuf::as_path), |to| {
        fs::create_dir_all(to).map_err(|error| error.to_string())?;
        run(Command::new("go")
            .args(["build", "-trimpath", "-buildvcs=false", "-o"])
            .arg(to.join(name))
            .arg(".")
            .current_dir(module))
    })?;
    Ok(dir.join(name))
}

/// A folder with a Node program beside its modules.
#[allow(dead_code, reason = "not every test that includes this file has a Node program")]
pub fn node(package: &Path, program: &str) -> Result<PathBuf, Missing> {
    let sources = ["package.json", "package-lock.json", program].map(|file| package.join(file));
    let dir = built("node", &sources.each_ref().map(PathBuf::as_path), |to| {
        run(Command::new("node").arg("--version"))?;
        fs::create_dir_all(to).map_err(|error| error.to_string())?;
        for source in &sources {
            let name = source.file_name().expect("sources are files");
            fs::copy(source, to.join(name)).map_err(|error| error.to_string())?;
        }
        run(Command::new("npm").args(["ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(to))
    })?;
    Ok(dir.join(program))
}

/// The class path of a Maven project.
#[allow(dead_code, reason = "not every test that includes this file has a Java program")]
pub fn java(project: &Path, source: &Path) -> Result<String, Missing> {
    let pom = project.join("pom.xml");
    let dir = built("java", &[&pom, source], |to| {
        run(Command::new("java").arg("-version"))?;
        let mut maven = Command::new("mvn");
        maven.args([
            "--quiet",
            "--batch-mode",
            "compile",
            "dependency:copy-dependencies",
            "-DincludeScope=runtime",
            "-f",
        ]);
        run(maven.arg(&pom).arg(format!("-Dprivet.build={}", to.display())))
    })?;
    Ok(format!("{0}/classes:{0}/dependency/*", dir.display()))
}

/// Builds into a folder of the cache unless one made of the same sources is there. A build that fails leaves nothing.
fn built(name: &str, sources: &[&Path], build: impl FnOnce(&Path) -> Result<(), Missing>) -> Result<PathBuf, Missing> {
    let cache = match std::env::var_os("PRIVET_CLIENTS_CACHE") {
        Some(dir) => PathBuf::from(dir),
        None => Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients"),
    };
    fs::create_dir_all(&cache).map_err(|error| format!("{}: {error}", cache.display()))?;
    let mut hasher = DefaultHasher::new();
    for source in sources {
        fs::read(source).map_err(|error| format!("{}: {error}", source.display()))?.hash(&mut hasher);
    }
    let dir = cache.join(format!("{name}-{:016x}", hasher.finish()));
    let lock = File::create(cache.join(format!("{name}.lock"))).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    let done = dir.join(".built");
    if !done.exists() {
        // Not renamed into place afterwards: a virtual environment holds its own path.
        let _ = fs::remove_dir_all(&dir);
        build(&dir).inspect_err(|_| _ = fs::remove_dir_all(&dir))?;
        File::create(&done).map_err(|error| error.to_string())?;
    }
    Ok(dir)
}

/// Runs a command to its end; what it says is told only where it fails.
fn run(command: &mut Command) -> Result<(), Missing> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = match command.stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(format!("no {program}")),
        Err(error) => return Err(format!("{program}: {error}")),
    };
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let end: Vec<&str> = said.lines().rev().filter(|line| !line.trim().is_empty()).take(3).collect();
    Err(format!("{program} failed: {}", end.into_iter().rev().collect::<Vec<_>>().join(" / ")))
}

/// Whether a test may be skipped where its toolchain is missing.
pub fn required() -> bool {
    std::env::var_os("PRIVET_REQUIRE_CLIENTS").is_some_and(|value| value == "1")
}
