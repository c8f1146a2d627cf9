//! Ladders that were looked at by people, kept as `tests/snapshots/NAME.snap`. After a change look at the new ones with
//! `cargo insta review`.

use muxbed::bed::Run;
use muxbed::report::{every_ladder, ladder};

/// Compares a run's ladder with the one that was reviewed; of a run with several possible results, the ladder of each.
pub(crate) fn assert_ladders(name: &str, run: &Run) {
    let ladders = if run.racy { every_ladder(run) } else { vec![ladder(run)] };
    let many = ladders.len() > 1;
    for (number, ladder) in (1..).zip(&ladders) {
        assert!(ladder.lines().count() <= 40, "{name}: a ladder is there to be read");
        let name = if many { format!("{name}.{number}") } else { name.to_owned() };
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.set_snapshot_path("../snapshots");
        settings.bind(|| insta::assert_snapshot!(name, ladder));
    }
}
