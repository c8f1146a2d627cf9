//! What this machine has: recipes are shell scripts that build a thing into a folder of the cache, or say what they lack.
//!
//! A recipe is called `build VERSION FOLDER` for a client and makes `FOLDER/driver`, `build FOLDER` for a server and makes
//! `FOLDER/serve`, or for another program and makes `FOLDER/program`. It ends with 3 if the machine lacks something, which it names in one line. What is there already is
//! not built again unless the recipe's folder has changed since.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use muxbed::clients::ClientSpec;

/// What recipes can be cooked on.
pub(crate) struct Machine {
    recipes: PathBuf,
    cache: PathBuf,
}

/// Why something is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lacking {
    /// There is no recipe for it.
    NoRecipe,
    /// The recipe says what the machine lacks.
    Machine(String),
    /// The recipe failed.
    Failed(String),
}

impl fmt::Display for Lacking {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRecipe => formatter.write_str("there is no recipe for it"),
            Self::Machine(what) => write!(formatter, "this machine lacks it: {what}"),
            Self::Failed(why) => write!(formatter, "its recipe failed: {why}"),
        }
    }
}

impl Machine {
    pub(crate) fn new(cache: &Path) -> Result<Self, String> {
        fs::create_dir_all(cache).map_err(|error| format!("{}: {error}", cache.display()))?;
        let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/live/recipes");
        let cache = cache.canonicalize().map_err(|error| error.to_string())?;
        Ok(Self { recipes, cache })
    }

    /// A file of the cache.
    pub(crate) fn kept(&self, name: &str) -> PathBuf {
        self.cache.join(name)
    }

    /// The driver of a client's version.
    pub(crate) fn driver(&self, client: &ClientSpec) -> Result<PathBuf, Lacking> {
        let folder = self.cache.join("clients").join(format!("{}-{}", client.name, client.version));
        let made = folder.join("driver");
        self.build(&client.name, &[client.version.as_str()], &folder, &made)
    }

    /// A server program.
    pub(crate) fn server(&self, name: &str) -> Result<PathBuf, Lacking> {
        let folder = self.cache.join(name);
        let made = folder.join("serve");
        self.build(name, &[], &folder, &made)
    }

    /// Any other program.
    pub(crate) fn program(&self, name: &str) -> Result<PathBuf, Lacking> {
        let folder = self.cache.join(name);
        let made = folder.join("program");
        self.build(name, &[], &folder, &made)
    }

    fn build(
        &self,
        recipe: &str,
        arguments: &[&str],
        folder: &Path,
        made: &Path,
    ) -> Result<PathBuf, Lacking> {
        let recipe = self.recipes.join(recipe);
        let script = recipe.join("build");
        if !script.is_file() {
            return Err(Lacking::NoRecipe);
        }
        if is_newer(made, &recipe) {
            return Ok(made.to_owned());
        }
        eprintln!("building {}", folder.display());
        fs::create_dir_all(folder).map_err(|error| Lacking::Failed(error.to_string()))?;
        let output = Command::new(&script)
            .args(arguments)
            .arg(folder)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| Lacking::Failed(error.to_string()))?;
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.trim().lines().next_back().unwrap_or("it said nothing").to_owned();
        match output.status.code() {
            Some(0) if made.exists() => Ok(made.to_owned()),
            Some(0) => Err(Lacking::Failed("it made nothing".to_owned())),
            Some(3) => Err(Lacking::Machine(last)),
            _ => Err(Lacking::Failed(last)),
        }
    }
}

/// Whether `made` is there and newer than all files of its recipe.
fn is_newer(made: &Path, recipe: &Path) -> bool {
    let changed = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let Some(at) = changed(made) else { return false };
    let Ok(files) = fs::read_dir(recipe) else { return false };
    files.flatten().all(|file| changed(&file.path()).is_some_and(|changed| changed <= at))
}
